"""Prediction in one call: the path of a job, shortened (docs/api.md, Predict)."""
