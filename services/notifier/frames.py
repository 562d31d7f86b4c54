"""Frames of the WebSocket (design, section 10; docs/events.md), as bytes of the wire.

Each is encoded once, however many sockets get it: what a server sends is not masked (RFC 6455, 5.1), so that the bytes
are the same for all.
"""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from websockets.frames import Frame, Opcode

from services.notifier.feed import Message

_encode = msgspec.json.Encoder().encode

OP_BYTES_MAX = 4096


class Op(msgspec.Struct, kw_only=True):
    """What a client may send."""

    op: str
    topic: str = ""
    since: Annotated[int, msgspec.Meta(ge=0)] | None = None


class _Event(msgspec.Struct, kw_only=True, tag="event"):
    seq: int
    event: str
    id: str
    time: str
    data: dict[str, Any]


def text(payload: bytes) -> bytes:
    """A text frame of the wire."""
    return Frame(Opcode.TEXT, payload).serialize(mask=False)


BEAT = text(b'{"type":"heartbeat"}') + Frame(Opcode.PING, b"").serialize(mask=False)
"""A heartbeat for scripts, and a ping of the protocol that libraries answer by themselves."""


def _text(frame: Any) -> bytes:
    return text(_encode(frame))


def ready(seq: int) -> bytes:
    """The first frame: events after `seq` follow."""
    return _text({"type": "ready", "seq": seq})


def reset(topic: str = "") -> bytes:
    """What was missed cannot be told any more; with `topic` this is about that log only."""
    return _text({"type": "reset", "topic": topic} if topic else {"type": "reset"})


def error(code: str, detail: str, topic: str = "") -> bytes:
    """Something the client asked for cannot be done; the connection stays unless a close follows."""
    frame = {"type": "error", "code": code, "detail": detail}
    return _text(frame | {"topic": topic} if topic else frame)


def line(topic: str, message: Message) -> bytes:
    """One line of a log."""
    return _text({"type": "log", "topic": topic, "seq": message.seq, "line": message.data.decode("utf-8", "replace")})


def event(message: Message) -> bytes | None:
    """The frame of a message of EVENTS; None when it is not an event as docs/events.md describes."""
    headers = message.headers
    try:
        return _text(
            _Event(
                seq=message.seq,
                event=headers["ce-type"],
                id=headers["ce-id"],
                time=headers["ce-time"],
                data=msgspec.json.decode(message.data, type=dict[str, Any]),
            )
        )
    except (KeyError, msgspec.DecodeError):
        return None


def owner(subject: str) -> UUID | None:
    """Whose event `<noun>.<verb>.<owner_id>.<id>` is; None for a subject of another form."""
    tokens = subject.split(".")
    try:
        return UUID(tokens[2]) if len(tokens) == 4 else None
    except ValueError:
        return None


def emission(message: Message) -> int:
    """The n of `Nats-Msg-Id: <event id>:<n>`: above 1 for a deliberate repetition."""
    n = message.headers.get("Nats-Msg-Id", "").rpartition(":")[2]
    return int(n) if n.isdecimal() else 1
