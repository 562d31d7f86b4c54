"""POST /api/live/ticket."""

import hashlib
import secrets
from typing import Annotated

import msgspec
from litestar import Controller, post

from services.api.injected import OpenContext, SignedIn
from shared.db import load_queries

_queries = load_queries("users")

TICKET_S = 30


class Ticket(msgspec.Struct, frozen=True):
    """A pass for one WebSocket connection."""

    ticket: str
    expires_in: Annotated[int, msgspec.Meta(description="Seconds")]


class LiveController(Controller):
    """Tickets for the WebSocket."""

    path = "/api/live"
    tags = ("live",)

    @post("/ticket", operation_id="create_live_ticket", status_code=200, summary="A ticket for the WebSocket /ws")
    async def create_live_ticket(self, context: OpenContext, user: SignedIn) -> Ticket:
        """A browser cannot send headers with a WebSocket, and a token must not be in a URL: this is what goes there.

        It works once, within 30 s. Only its hash is kept; the notifier takes it out of the table.
        """
        ticket = secrets.token_urlsafe(32)
        await _queries.add_ticket(
            context.pool,
            ticket_hash=hashlib.sha256(ticket.encode()).digest(),
            user_id=user.id,
            ttl_s=float(TICKET_S),
        )
        return Ticket(ticket, TICKET_S)
