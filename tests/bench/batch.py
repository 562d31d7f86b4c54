"""One batch of many pictures, from its request to the last byte of its archive, in turn with LitServe under load."""

import asyncio
import io
import statistics
import time
import zipfile
from typing import Any

import aiohttp

from tests.bench.cpu import ENGINE_ROW, Accounts, each, spent_between
from tests.bench.group import Bench
from tests.bench.load import told, under_load
from tests.bench.numbers import Number
from tests.bench.peers.servers import litserve
from tests.bench.sides import KEEP_S, PICTURES, PNG, WORKERS, gray_version
from tests.client import Client

INPUTS = 200
SLICE_S = 4.0
BATCH = "/api/jobs/batch/"


async def measure_batch(bench: Bench) -> list[Number]:
    """Inputs per second of a batch, each durable, sandboxed, its output fetched; beside LitServe's requests."""
    version = await gray_version(bench)
    found: list[Number] = []
    async with (
        Client(bench.platform.url) as client,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_S)) as http,
        litserve(http, WORKERS) as peer,
    ):
        accounts = await asyncio.to_thread(Accounts, bench)
        for words, picture in PICTURES.items():
            body = zipped(picture(), INPUTS)
            await run_batch(client, http, version["id"], body)
            await under_load(peer, picture(), SLICE_S / 2)
            ours, theirs, inside, parts = [], [], [], []
            for _ in range(bench.times(3)):
                before = await asyncio.to_thread(accounts.read)
                seconds, items = await run_batch(client, http, version["id"], body)
                spent = spent_between(before, await asyncio.to_thread(accounts.read))
                del spent[ENGINE_ROW]  # it may serve others, too
                parts.append(each(spent, INPUTS))
                ours.append(INPUTS / seconds)
                inside += [float(item["ms"]) for item in items]
                done, seconds = await under_load(peer, picture(), SLICE_S)
                theirs.append(done / seconds)
            cpu = {name: statistics.median(one.get(name, 0.0) for one in parts) for name in parts[0]}
            model = statistics.median(inside)
            found += [
                Number(
                    f"inputs of a batch of {INPUTS}, {words}",
                    "/s",
                    ours,
                    beside=f"the model itself {model:.3g} ms an input; CPU of an input {told(cpu)}",
                ),
                Number(f"LitServe under load, {words}, {WORKERS} workers", "/s", theirs),
                Number(
                    f"a batch's inputs over LitServe's requests, {words}",
                    "x",
                    [one / other for one, other in zip(ours, theirs, strict=True)],
                    goal=1.5,
                    at_least=True,
                    details={"cpu_ms_of_an_input": cpu, "model_ms": model},
                ),
            ]
    return found


def zipped(picture: bytes, count: int) -> bytes:
    """So many copies of a picture in one ZIP."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for n in range(count):
            archive.writestr(f"{n:04d}.png", picture)
    return out.getvalue()


async def run_batch(
    client: Client, http: aiohttp.ClientSession, version_id: str, body: bytes
) -> tuple[float, list[dict[str, Any]]]:
    """Seconds from the request to the last byte of the outputs, and the first 100 outcomes."""
    await client.login()
    headers = {"Authorization": client.http.headers["Authorization"]}
    url = f"{client.url}{BATCH}?version_id={version_id}"
    async with client.live() as live:
        await live.next()
        started = time.perf_counter()
        async with http.post(url, data=body, headers={**headers, "Content-Type": "application/zip"}) as answer:
            if answer.status != 202:
                raise RuntimeError(f"the batch was answered {answer.status}: {await answer.text()}")
            batch_id = (await answer.json())["id"]
        last = await live.until(
            lambda frame: (
                frame["type"] == "event"
                and frame["data"]["id"] == batch_id
                and frame["data"]["status"] in ("COMPLETED", "CANCELED")
            ),
            timeout_s=600,
        )
    where = f"{client.url}{BATCH}{batch_id}"
    async with http.get(f"{where}/archive", headers=headers) as answer:
        answer.raise_for_status()
        archive = await answer.read()
    seconds = time.perf_counter() - started
    assert (last["data"]["succeeded"], last["data"]["failed"]) == (INPUTS, 0), last
    with zipfile.ZipFile(io.BytesIO(archive)) as whole:
        grays = [whole.open(name).read(len(PNG)) for name in whole.namelist() if name.endswith(".png")]
    assert grays == [PNG] * INPUTS, "an output is no PNG, or is missing"
    page = await client.get(f"{BATCH}{batch_id}/inputs", params={"limit": 100})
    return seconds, page["items"]
