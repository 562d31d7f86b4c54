"""Tests: unit, integration (real parts), e2e (a whole platform), hostile (the sandbox), chaos (parts that die)."""
