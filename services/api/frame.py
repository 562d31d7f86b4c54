"""What lies around every request, those without a route included: trace, client address, log line, metrics.

A body that nobody read is read and dropped before an error goes out: a client that is still sending would otherwise
see a reset connection instead of the answer.
"""

import asyncio
import ipaddress
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, cast

import structlog
from litestar.datastructures import Headers
from litestar.types import HTTPScope
from prometheus_client import Histogram

from shared.tracing import follow

log = structlog.get_logger()

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]

DRAIN_BYTES = 64 * 1024**2
DRAIN_S = 10.0
ADDRESSES_KNOWN = 1024
QUIET = ("/api/health", "/metrics")
"""Paths asked so often that their log lines are for debugging only."""

seconds = Histogram(
    "clinai_api_request_seconds",
    "Requests by route, from the first byte to the last of the answer",
    ["method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Frame:
    """The outermost ASGI application."""

    def __init__(self, app: App, *, trusted_proxies: str) -> None:
        self._app = app
        networks = [
            ipaddress.ip_network(item.strip(), strict=False) for item in trusted_proxies.split(",") if item.strip()
        ]

        @lru_cache(maxsize=ADDRESSES_KNOWN)
        def is_trusted(address: str) -> bool:
            try:
                ip = ipaddress.ip_address(address)
            except ValueError:
                return False
            return any(ip in network for network in networks)

        self._is_trusted = is_trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request; anything but HTTP passes through."""
        if scope["type"] != "http":  # lifespan
            await self._app(scope, receive, send)
            return
        peer, port = scope.get("client") or ("", 0)
        # what X-Forwarded-Host and -Proto say counts only from there (services/api/origins.py)
        scope["state"] = {**scope.get("state", {}), "from_edge": self._is_trusted(peer)}
        headers = Headers.from_scope(cast(HTTPScope, scope))  # kept there for those that look at them later
        trace = follow(headers.get("traceparent", ""))
        scope["client"] = (self._client_address(peer, headers), port)
        exchange = _Exchange(receive, send, headers, trace)
        started = time.monotonic()
        try:
            await self._app(scope, exchange.receive, exchange.send)
        finally:
            self._record(scope, exchange.status, time.monotonic() - started)

    def _record(self, scope: Scope, status: int, took_s: float) -> None:
        method = scope["method"] if scope["method"] in METHODS else "other"
        route = scope.get("path_template") or "none"
        seconds.labels(method, route, str(status)).observe(took_s)
        write = log.debug if scope["path"] in QUIET else log.info
        # the path alone: a query may carry what must not be logged
        write(
            "request",
            method=method,
            path=scope["path"],
            status=status,
            ms=round(took_s * 1000, 1),
            address=scope["client"][0],
        )
        structlog.contextvars.unbind_contextvars("user", "trace")

    def _client_address(self, peer: str, headers: Headers) -> str:
        """The peer, or for a peer that is a trusted proxy the last address in X-Forwarded-For that is none."""
        address = peer
        if not self._is_trusted(peer):
            return peer
        for entry in reversed(headers.get("x-forwarded-for", "").split(",")):
            if not (entry := entry.strip()):
                continue
            try:
                ipaddress.ip_address(entry)
            except ValueError:
                break  # nonsense from here on; the last good one stands
            address = entry
            if not self._is_trusted(entry):
                break
        return address


class _Exchange:
    """One request's messages: remembers the status, adds the trace, drops a body that nobody wanted."""

    def __init__(self, receive: Receive, send: Send, headers: Headers, trace: str) -> None:
        self.status = 499  # the client left before there was an answer
        self._receive = receive
        self._send = send
        self._trace = trace
        self._has_body = "content-length" in headers or "transfer-encoding" in headers
        self._continues = headers.get("expect", "").lower() == "100-continue"
        self._asked = False
        self._ended = not self._has_body

    async def receive(self) -> Message:
        """Pass a message on, noting the end of the body."""
        self._asked = True
        message = await self._receive()
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            self._ended = True
        return message

    async def send(self, message: Message) -> None:
        """Pass a message on; before an error goes out, drop what the client still sends."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if self.status >= 400 and not self._ended and not (self._continues and not self._asked):
                with suppress(TimeoutError):
                    async with asyncio.timeout(DRAIN_S):
                        await self._drain()
            trace_id = self._trace.split("-")[1]
            message["headers"] = [
                *message["headers"],
                (b"x-request-id", trace_id.encode()),
                (b"traceparent", self._trace.encode()),
            ]
        await self._send(message)

    async def _drain(self) -> None:
        dropped = 0
        while not self._ended and dropped < DRAIN_BYTES:
            message = await self.receive()
            dropped += len(message.get("body", b""))
