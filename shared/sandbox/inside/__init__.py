"""Code that runs inside a model's container: standard library only, shipped as an argument (see ADR 0003)."""
