"""Batches: many inputs of one version in one request (docs/api.md, Batches; decision 12)."""
