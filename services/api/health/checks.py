"""Ask every part once; tell "starting" (has not answered since this process began) from "down"."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import asyncpg

from services.api.gateway import Gateway, reason_of
from shared.db import load_queries
from shared.engine import engine_state
from shared.heartbeat import SILENT_AFTER_S

_workers = load_queries("workers")

PROBE_TIMEOUT_S = 3.0
KEEP_S = 1.0
"""Answers are kept that long: the route is open to everybody and asks every part."""
STARTING_S = 120.0
"""A part that has never answered counts as starting for that long after the gateway's own start."""
OPENED = ("postgres", "nats", "storage")
"""Parts that have answered once the gateway is open."""
WORKERS = ("builder", "runner", "notifier")


class Checks:
    """Asks the parts; one for the process."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._seen: set[str] = set()
        self._lock = asyncio.Lock()
        self._answer: dict[str, str] = {}
        self._asked_at = float("-inf")

    async def components(self) -> dict[str, str]:
        """`ok`, `starting` or `down: why` for each part; at most a second old."""
        async with self._lock:
            if time.monotonic() - self._asked_at > KEEP_S:
                self._answer = await self._ask()
                self._asked_at = time.monotonic()
            return self._answer

    async def _ask(self) -> dict[str, str]:
        rows: list[asyncpg.Record] = []

        async def postgres() -> None:
            if self._gateway.pool is None:
                raise ConnectionError(self._gateway.waiting_for.get("postgres", "not connected"))
            rows.extend([row async for row in _workers.list_workers(self._gateway.pool)])

        probes: dict[str, Callable[[], Awaitable[None]]] = {
            "postgres": postgres,
            "nats": self._nats,
            "storage": self._storage,
            "registry": self._registry,
            "engine": self._engine,
        }
        reasons = dict(zip(probes, await asyncio.gather(*map(_reason, probes.values())), strict=True))
        if reasons["engine"] and _engine_of_workers(rows):
            reasons["engine"] = ""  # this host has none, those of the workers answer
        for service in WORKERS:
            reasons[service] = (reasons["postgres"] and "unknown while postgres is down") or _worker_reason(
                rows, service
            )
        return {name: self._state(name, reason) for name, reason in reasons.items()}

    def _state(self, name: str, reason: str) -> str:
        if not reason:
            self._seen.add(name)
            return "ok"
        young = time.monotonic() - self._gateway.started_at < STARTING_S
        never = name not in self._seen and not (self._gateway.context and name in OPENED)
        return "starting" if reason == "starting" or (young and never) else f"down: {reason}"

    async def _nats(self) -> None:
        if (bus := self._gateway.bus) is None or not bus.nc.is_connected:
            raise ConnectionError(self._gateway.waiting_for.get("nats", "not connected"))
        await bus.js.account_info()

    async def _storage(self) -> None:
        if self._gateway.store is None:
            raise ConnectionError("not connected")
        await self._gateway.store.head("health")

    async def _registry(self) -> None:
        host = self._gateway.engine.registry
        scheme = "http" if host.partition(":")[0] in ("127.0.0.1", "localhost") else "https"
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{scheme}://{host.partition('/')[0]}/v2/") as answer,
        ):
            if answer.status not in (200, 401):  # 401: it is there and wants the engine's credentials
                raise ConnectionError(f"answered {answer.status}")

    async def _engine(self) -> None:
        if self._gateway.docker is None:
            raise ConnectionError("not connected")
        if (state := await engine_state(self._gateway.docker)) != "ok":
            raise ConnectionError(state.removeprefix("down: "))


async def _reason(probe: Callable[[], Awaitable[None]]) -> str:
    """Why a probe failed, or the empty string."""
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            await probe()
    except TimeoutError:
        return f"no answer within {PROBE_TIMEOUT_S:g} s"
    except Exception as error:
        return reason_of(error)
    return ""


def _alive(rows: list[asyncpg.Record], service: str | None = None) -> list[asyncpg.Record]:
    return [r for r in rows if r["silent_s"] <= SILENT_AFTER_S and service in (None, r["service"])]


def _worker_reason(rows: list[asyncpg.Record], service: str) -> str:
    states = {row["state"] for row in _alive(rows, service)}
    if "ready" in states:
        return ""
    if "starting" in states:
        return "starting"
    if states:
        return "stopping"
    silent = [row["silent_s"] for row in rows if row["service"] == service]
    return f"silent for {min(silent):.0f} s" if silent else "none has reported"


def _engine_of_workers(rows: list[asyncpg.Record]) -> bool:
    """Whether workers of the last seconds report an engine, and all of them a good one."""
    states: list[Any] = [row["info"].get("engine") for row in _alive(rows) if "engine" in row["info"]]
    return bool(states) and all(state == "ok" for state in states)
