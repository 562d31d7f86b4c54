"""Readiness probes: each asks a part for its real service once and tells whether it answered."""

import asyncio
import json
from pathlib import Path
from typing import Any

import asyncpg

from deploy.embedded.platform import Platform

PROBE_TIMEOUT_S = 3.0


async def postgres(platform: Platform) -> bool:
    """PostgreSQL answers a query of the services' own role."""
    connection = await asyncpg.connect(platform.database_url(), timeout=PROBE_TIMEOUT_S)
    try:
        return bool(await connection.fetchval("SELECT true"))
    finally:
        await connection.close(timeout=PROBE_TIMEOUT_S)


async def nats(platform: Platform) -> bool:
    """NATS lets us in and has JetStream."""
    reader, writer = await asyncio.open_connection("127.0.0.1", platform.ports["nats"])
    try:
        info: dict[str, Any] = json.loads((await reader.readline()).removeprefix(b"INFO "))
        login = {"user": "clinai", "pass": platform.secrets["nats"], "verbose": False, "pedantic": False}
        writer.write(b"CONNECT " + json.dumps(login).encode() + b"\r\nPING\r\n")
        while line := await reader.readline():
            if line.startswith(b"PONG"):
                return bool(info.get("jetstream"))
            if line.startswith(b"-ERR"):
                return False
        return False
    finally:
        writer.close()


async def http(port: int, path: str, accepted: tuple[int, ...] = (200,)) -> bool:
    """A loopback HTTP server answers `path` with one of the accepted statuses."""
    return await _http_status(*await asyncio.open_connection("127.0.0.1", port), path) in accepted


async def engine(docker_host: str) -> bool:
    """The container engine behind a unix:// address answers; other addresses are aiodocker's to ask."""
    if not docker_host.startswith("unix://"):
        import aiodocker

        try:
            async with aiodocker.Docker(url=docker_host) as docker:
                return bool(await docker.version())
        except aiodocker.DockerError:
            return False
    path = Path(docker_host.removeprefix("unix://"))
    return await _http_status(*await asyncio.open_unix_connection(path), "/_ping") == 200


async def _http_status(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> int:
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        status = (await reader.readline()).split()
        return int(status[1]) if len(status) > 1 and status[1].isdigit() else 0
    finally:
        writer.close()


async def answered(probe: Any) -> bool:
    """Run one probe; refusal, nonsense and silence are all "not yet"."""
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            return bool(await probe)
    except (OSError, TimeoutError, ValueError, EOFError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
