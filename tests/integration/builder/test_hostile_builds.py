"""Code that runs while requirements are built from source: what it may use, and what it cannot reach."""

import json
import socket
from typing import Any
from urllib.parse import urlsplit

import aiodocker
import pytest

from services.builder.network import NETWORK
from shared.settings import MIB
from tests.conftest import make_zip
from tests.integration.builder.conftest import MODEL, Builder, index_settings
from tests.platforms import TestPlatform

pytestmark = [pytest.mark.integration, pytest.mark.hostile]

PROBE = """
import json, os, pathlib, re, socket, sys

def reached(host, port):
    try:
        socket.create_connection((host, port), timeout=3).close()
        return True
    except OSError as error:
        return False

def number(*paths):
    for path in paths:
        try:
            return int(pathlib.Path(path).read_text().split()[0])
        except (OSError, ValueError):
            pass

def writable(path):
    try:
        pathlib.Path(path, "x").write_text("x")
        return True
    except OSError:
        return False

status = pathlib.Path("/proc/self/status").read_text()
found = {
    "uid": os.getuid(),
    "capabilities": int(re.search(r"CapEff:\\s*(\\w+)", status).group(1), 16),
    "no_new_privileges": "NoNewPrivs:\\t1" in status,
    "environment": sorted(os.environ),
    "sockets": [p for p in SOCKETS if os.path.exists(p)],
    "memory": number("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory.max"),
    "processes": number("/sys/fs/cgroup/pids/pids.max", "/sys/fs/cgroup/pids.max"),
    "writable": [p for p in ("/", "/usr/local/bin", "/usr/local/lib", "/app", "/etc") if writable(p)],
    "reached": [f"{host}:{port}" for host, port in PLACES if reached(host, port)],
}
report = json.dumps(found)
for start in range(0, len(report), 3000):
    print(f"REPORT{start:06}:" + report[start:start + 3000], file=sys.stderr)
sys.exit(1)
"""


async def report_of(builder: Builder, places: list[tuple[str, int]], sockets: list[str]) -> dict[str, Any]:
    """Build a package whose setup.py looks around, and return what it saw."""
    head = f"PLACES = {places!r}\nSOCKETS = {sockets!r}\n"
    data = make_zip({"predict.py": MODEL, "requirements.txt": "./evil\n", "evil/setup.py": head + PROBE})
    async with builder.working():
        row = await builder.build(data)
    log = await builder.log(row)
    assert (row["status"], row["error_code"]) == ("FAILED", "RESOLUTION_FAILED"), log
    parts = dict(line.split("REPORT", 1)[1].split(":", 1) for line in log.splitlines() if "REPORT" in line)
    found: dict[str, Any] = json.loads("".join(parts[key] for key in sorted(parts)))
    return found


async def test_a_build_script_reaches_nothing_of_the_platform(
    builder: Builder, docker: aiodocker.Docker, parts: TestPlatform
) -> None:
    handler = builder.handler()
    await handler.warm_up()
    network = await (await docker.networks.get(NETWORK)).show()
    gateway = network["IPAM"]["Config"][0]["Gateway"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.200", 9))
        own = probe.getsockname()[0]
    ports = [int(value) for key, value in parts.env.items() if key.endswith("_PORT")]
    # the bus listens on every address: here it answers, so that the build's failure to reach it says something
    bus = urlsplit(parts.env["CLINAI_NATS_URL"]).port
    assert bus is not None
    for address in (gateway, own):
        socket.create_connection((address, bus), timeout=3).close()
    hosts = {gateway, own, "127.0.0.1", "172.17.0.1", "host.docker.internal"}
    places = [(host, port) for host in sorted(hosts) for port in ports] + [("169.254.169.254", 80)]
    index = urlsplit(index_settings().index_url or "https://pypi.org/simple")
    control = (index.hostname or "", index.port or {"http": 80, "https": 443}[index.scheme])
    sockets = ["/var/run/docker.sock", "/run/docker.sock", parts.env["CLINAI_DATA"], "/work"]
    found = await report_of(builder, [*places, control], sockets)

    assert found["reached"] == [f"{control[0]}:{control[1]}"]
    assert found["sockets"] == []
    assert (found["uid"], found["capabilities"], found["no_new_privileges"]) == (65533, 0, True)
    assert found["memory"] == builder.parts.limits.build_memory_bytes
    assert found["processes"] == 1024
    assert found["writable"] == []
    assert [name for name in found["environment"] if "CLINAI" in name or "AWS" in name] == []


async def test_a_build_that_eats_memory_ends_alone(builder: Builder) -> None:
    source = "hoard = [bytearray(b'x' * (64 << 20)) for _ in range(64)]\n"
    data = make_zip({"predict.py": MODEL, "requirements.txt": "./evil\n", "evil/setup.py": source})
    async with builder.working(builder.handler(build_memory_bytes=512 * MIB)):
        row = await builder.build(data)
    assert row["error_code"] == "RESOLUTION_FAILED"
    assert "memory" in row["error_message"]


async def test_a_build_that_fills_the_disk_is_stopped(builder: Builder) -> None:
    source = (
        "import time\n"
        "with open('/tmp/big', 'wb') as out:\n"
        "    for _ in range(400):\n"
        "        out.write(b'x' * (1 << 20))\n"
        "time.sleep(60)\n"
    )
    data = make_zip({"predict.py": MODEL, "requirements.txt": "./evil\n", "evil/setup.py": source})
    async with builder.working(builder.handler(image_bytes=256 * MIB)):
        row = await builder.build(data)
    assert row["error_code"] == "BUILD_TOO_LARGE", row["error_message"]
    assert (row["finished_at"] - row["started_at"]).total_seconds() < 40


async def test_a_build_that_never_ends_is_stopped(builder: Builder) -> None:
    data = make_zip(
        {"predict.py": MODEL, "requirements.txt": "./evil\n", "evil/setup.py": "import time\ntime.sleep(3600)\n"}
    )
    async with builder.working(builder.handler(build_s=8.0)):
        row = await builder.build(data)
    assert row["error_code"] == "BUILD_TIMEOUT"
    assert "resolve" in row["error_message"]
    assert (row["finished_at"] - row["started_at"]).total_seconds() < 20


async def test_what_a_build_script_leaves_outside_its_environment_is_not_in_the_image(
    builder: Builder, docker: aiodocker.Docker
) -> None:
    script = (
        "import os, pathlib, stat\n"
        "from setuptools import setup\n"
        "for place in ('/tmp', '/build', '/opt/venv'):\n"
        "    path = pathlib.Path(place, 'left-behind')\n"
        "    path.write_text('x')\n"
        "    path.chmod(0o4755)\n"
        "setup(name='evil', version='1', py_modules=['evil'])\n"
    )
    model = (
        "import os, evil\n\ndef run(input_path, output_dir):\n"
        "    places = ('/tmp', '/build', '/opt/venv', '/opt/venv/bin')\n"
        "    left = [os.path.join(p, n) for p in places if os.path.isdir(p) for n in os.listdir(p) if 'left' in n]\n"
        "    stats = [os.stat(p) for p in left]\n"
        "    print('LEFT', [(p, oct(s.st_mode), s.st_uid) for p, s in zip(left, stats)])\n"
        "    return {'value': evil.VALUE}\n"
    )
    data = make_zip(
        {
            "predict.py": model,
            "requirements.txt": "./evil\n",
            "evil/setup.py": script,
            "evil/evil.py": "VALUE = 7\n",
        }
    )
    async with builder.working():
        row = await builder.build(data)
    log = await builder.log(row)
    assert row["status"] == "READY", log
    [said] = [line for line in log.splitlines() if line.startswith("LEFT")]
    # what is in the environment belongs to it, but is root's and has lost its setuid bit
    assert said in ("LEFT []", "LEFT [('/opt/venv/left-behind', '0o100755', 0)]")
