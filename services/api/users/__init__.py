"""Accounts, tokens and signed-in devices."""
