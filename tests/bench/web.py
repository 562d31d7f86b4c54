"""The web page in a browser: what a visit loads and shows, how it scrolls, what it keeps (web/scripts/bench.mjs)."""

import asyncio
import json
import os
from statistics import median
from typing import Any

from tests.bench.group import Bench
from tests.bench.numbers import Number
from tests.platforms import ROOT

JS_KB = 200.0
LCP_MS, BLOCKED_MS, SHIFT = 1200.0, 150.0, 0.1
"""Where Lighthouse 10 gives a desktop page 90 of 100 points (its scoring calculator): beyond it, green ends."""
FPS = 59.5
"""A screen of 60 Hz, as far as three seconds of frames can be told from it."""
EVENT_BYTES = 500.0
"""Ten events a second for an hour come to 18 MB: a page that nobody would call growing."""


async def measure_web(bench: Bench) -> list[Number]:
    """Rows of the page; raises when there is no page, no browser, or the script fails (it says why on stderr)."""
    if not (ROOT / "web" / "dist" / "index.html").exists():
        raise RuntimeError("web/dist has no page: make web")
    environment = {
        **os.environ,
        **bench.platform.environ,
        "CLINAI_URL": bench.platform.url,
        "BENCH_EVENTS": str(bench.times(600)),
        "BENCH_ROUNDS": str(bench.times(3)),
    }
    script = await asyncio.create_subprocess_exec(
        ROOT / "deploy" / "web.sh", "bench", env=environment, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await script.communicate()
    if script.returncode:
        raise RuntimeError(f"deploy/web.sh bench ended with {script.returncode}")
    found = json.loads(out)
    return [*visits(found["pages"]), *scrolling(found["scroll"]), memory(found["memory"])]


def visits(pages: dict[str, dict[str, list[float]]]) -> list[Number]:
    """Cold visits: of each figure the page that has the worst median, and the medians of the others beside it."""
    return [
        worst(pages, "js_gzip_kb", "JavaScript of a first visit, gzip", "KB", JS_KB),
        worst(pages, "lcp_ms", "largest contentful paint", "ms", LCP_MS),
        worst(pages, "tbt_ms", "blocking time of a visit", "ms", BLOCKED_MS),
        worst(pages, "cls", "layout shift of a visit", "", SHIFT),
    ]


def worst(pages: dict[str, dict[str, list[float]]], figure: str, name: str, unit: str, goal: float) -> Number:
    """The page with the largest median of a figure."""
    medians = {page: median(values[figure]) for page, values in pages.items()}
    page = max(medians, key=lambda each: medians[each])
    beside = ", ".join(f"{each} {value:.3g}" for each, value in medians.items())
    samples = {each: values[figure] for each, values in pages.items()}
    return Number(f"page: {name}, worst of all ({page})", unit, samples[page], goal, beside, samples)


def scrolling(scroll: dict[str, dict[str, list[float]]]) -> list[Number]:
    """Frames a second at 6,000 px a second, in turn with a page that has no script at all."""
    plain = median(scroll["plain"]["fps"])

    def row(name: str, lines: str) -> Number:
        run = scroll[name]
        beside = (
            f"{median(run['fps']) / plain:.2f} of a plain page's {plain:.3g}, "
            f"p95 of a frame {median(run['frame_p95_ms']):.3g} ms "
            f"(plain {median(scroll['plain']['frame_p95_ms']):.3g}), "
            f"{median(run['cpu_ms_a_frame']):.2g} ms CPU a frame"
        )
        return Number(f"page: {lines}, scrolled", "frames/s", run["fps"], FPS, beside, dict(run), at_least=True)

    return [row("log", "10,000 log lines"), row("jobs", "1,000 jobs")]


def memory(soak: dict[str, Any]) -> Number:
    """What an open list of jobs keeps of each event, after its list is full."""
    beside = (
        f"{soak['events']} jobs made and canceled a round: heap {' → '.join(map(str, soak['heap_mb']))} MB, "
        f"DOM nodes {' → '.join(map(str, soak['dom_nodes']))}"
    )
    return Number("page: memory kept of an event", "bytes", soak["bytes_an_event"], EVENT_BYTES, beside, soak)
