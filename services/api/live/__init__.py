"""Tickets for the WebSocket."""
