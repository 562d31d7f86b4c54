"""Batches on a runner: worker.py takes chunks, chunk.py reads as the steps of one, turns.py lets jobs go first."""
