"""The network of build containers: the outside and the index, but nothing that listens on this host.

Containers cannot see each other (`enable_icc`). What the platform binds to loopback or a Unix socket is out of reach
already; what listens on 0.0.0.0 (the bus, the edge) and a cloud's metadata address are closed off by the host's
firewall where this process may set it: a local engine, root, iptables. Elsewhere a line in the log says so, and
credentials alone protect those ports (docs/decisions/0006-build-network.md).
"""

import asyncio
import os
import shutil
import socket
import time
from collections.abc import Iterable
from urllib.parse import urlsplit

import aiodocker
import structlog

from shared.settings import Index

log = structlog.get_logger()

NETWORK = "clinai-build"
BRIDGE = "clinai-build0"
CHAIN = "CLINAI-BUILD"
METADATA = "169.254.0.0/16"
CHECK_EVERY_S = 60.0
COMMAND_TIMEOUT_S = 10.0
PORTS = {"http": 80, "https": 443}
MISSING = (403, 404, 409)


class BuildNetwork:
    """One network for all builders of an engine: an address range is a scarce thing, and nothing on it is shared."""

    name = NETWORK

    def __init__(self, docker: aiodocker.Docker, index: Index, *, local_engine: bool) -> None:
        self._docker = docker
        self._index = index
        self._local = local_engine
        self._lock = asyncio.Lock()
        self._checked_at = float("-inf")
        self.closed = False
        """Ports of this host are closed to builds."""

    async def ensure(self) -> str:
        """Find or make the network and its firewall rules; return its name. May be called for each build."""
        async with self._lock:
            if not await self._present():
                await self._create()
                self._checked_at = float("-inf")
            if time.monotonic() - self._checked_at > CHECK_EVERY_S:
                await self._close_host()
                self._checked_at = time.monotonic()
        return NETWORK

    async def _present(self) -> bool:
        try:
            await self._docker.networks.get(NETWORK)
        except aiodocker.DockerError as error:
            if error.status == 404:
                return False
            raise
        return True

    async def _create(self) -> None:
        options = {
            "com.docker.network.bridge.name": BRIDGE,
            "com.docker.network.bridge.enable_icc": "false",
        }
        try:
            await self._docker.networks.create(
                {
                    "Name": NETWORK,
                    "Driver": "bridge",
                    "CheckDuplicate": True,
                    "Labels": {"clinai.kind": "build-network"},
                    "Options": options,
                }
            )
        except aiodocker.DockerError as error:
            # another builder of this engine may have been quicker
            if error.status not in MISSING or not await self._present():
                raise

    async def _close_host(self) -> None:
        reason = ""
        if not self._local:
            reason = "the engine is on another host"
        elif os.geteuid() != 0:
            reason = "this process is not root"
        elif shutil.which("iptables") is None:
            reason = "there is no iptables here"
        else:
            try:
                await _set_rules(await _allowed(self._index))
            except OSError as error:
                reason = str(error)
        if reason and (self.closed or self._checked_at == float("-inf")):
            log.warning("builds can reach what listens on all addresses of this host", reason=reason)
        self.closed = not reason


async def _set_rules(allowed: Iterable[tuple[str, int]]) -> None:
    """Put the rules in place; those that stand already are left alone. Raises OSError."""
    await _iptables("-N", CHAIN, may_fail=True)  # it exists
    rules = [
        ["-m", "conntrack", "--ctstate", "ESTABLISHED,RELATED", "-j", "ACCEPT"],
        ["-p", "udp", "--dport", "53", "-j", "ACCEPT"],
        ["-p", "tcp", "--dport", "53", "-j", "ACCEPT"],
        *(["-p", "tcp", "-d", host, "--dport", str(port), "-j", "ACCEPT"] for host, port in sorted(set(allowed))),
    ]
    for rule in rules:
        await _insert(CHAIN, rule)
    if not await _iptables("-C", CHAIN, "-j", "REJECT", may_fail=True):
        await _iptables("-A", CHAIN, "-j", "REJECT")
    await _insert("INPUT", ["-i", BRIDGE, "-j", CHAIN])
    if await _iptables("-L", "DOCKER-USER", "-n", may_fail=True):
        await _insert("DOCKER-USER", ["-i", BRIDGE, "-d", METADATA, "-j", "REJECT"])


async def _insert(chain: str, rule: list[str]) -> None:
    if not await _iptables("-C", chain, *rule, may_fail=True):
        await _iptables("-I", chain, "1", *rule)


async def _iptables(*arguments: str, may_fail: bool = False) -> bool:
    process = await asyncio.create_subprocess_exec(
        "iptables",
        "--wait",
        "5",
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(COMMAND_TIMEOUT_S):
            _, said = await process.communicate()
    except BaseException:
        if process.returncode is None:
            process.kill()
            await process.wait()
        raise
    if process.returncode and not may_fail:
        raise OSError(f"iptables {' '.join(arguments)}: {said.decode(errors='replace').strip()[:300]}")
    return process.returncode == 0


async def _allowed(index: Index) -> list[tuple[str, int]]:
    """(address, port) of every index and proxy of the settings: one may run on this very host."""
    found: list[tuple[str, int]] = []
    places = [index.index_url, index.extra_index_url, index.find_links, index.http_proxy, index.https_proxy]
    for place in " ".join(places).replace(",", " ").split():
        try:
            parts = urlsplit(place if "://" in place else f"//{place}")
            port = parts.port or PORTS.get(parts.scheme, 0)
            if not parts.hostname or not port:
                continue
            answers = await asyncio.get_running_loop().getaddrinfo(
                parts.hostname, port, family=socket.AF_INET, type=socket.SOCK_STREAM
            )
        except (ValueError, OSError) as error:
            log.info("address of an index not resolved", place=place.rpartition("@")[2], error=str(error))
            continue
        found += [(str(address[0]), port) for *_, address in answers]
    return found
