"""The job log: both streams, bounded, harmless, and the work goes on."""

import pytest

from tests.hostile.conftest import Run

pytestmark = pytest.mark.hostile

LIMIT = 64 * 1024


async def test_both_streams_in_order(run: Run) -> None:
    code = """
    import os, subprocess, sys
    def run(i, o):
        print("one")
        print("two", file=sys.stderr)
        subprocess.run(["/bin/sh", "-c", "echo three; echo four >&2"])
        print("ümlaut")
        sys.stdout.write("no newline at the end")
        return {"a": 1}
    """
    assert (await run(code)).log == ["one", "two", "three", "four", "ümlaut", "no newline at the end"]


FLOODS = {
    "gigabyte of lines": "line = ('x' * 1023 + '\\n').encode() * 1024\n    for _ in range(1024): os.write(1, line)",
    "gigabyte without a newline": "for _ in range(1024): os.write(2, b'x' * (1 << 20))",
    "binary": "for _ in range(64): os.write(1, os.urandom(1 << 20))",
    "a million prints": "for n in range(10**6): os.write(1, b'\\n')",
}


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
async def test_flood_is_cut_and_the_work_goes_on(run: Run, flood: str) -> None:
    ran = await run(f"import os\ndef run(i, o):\n    {flood}\n    return {{'done': True}}", timeout_s=90.0)
    ran.ended(None)
    assert ran.outcome.log_truncated
    assert "log cut" in ran.log[-1]
    assert str(LIMIT) in ran.log[-1]
    assert len("\n".join(ran.log[:-1])) <= LIMIT
    assert ran.outcome.timings["run"] < 60_000


async def test_controls_and_progress_bars(run: Run) -> None:
    code = r"""
    import os
    def run(i, o):
        os.write(1, b"10%\r20%\r\n\x1b[31mred\x1b[0m \x1b]0;title\x07 \xff \x00\n")
        return {"a": 1}
    """
    bad = "\N{REPLACEMENT CHARACTER}"
    assert (await run(code)).log == ["10%", "20%", f"red {bad}]0;title{bad} {bad} {bad}"]


async def test_replaced_streams(run: Run) -> None:
    code = """
    import sys
    class Bad:
        def write(self, text): raise RuntimeError
        flush = write
    def run(i, o):
        print("before")
        sys.stdout = sys.stderr = Bad()
        raise ValueError("said anyway")
    """
    ran = await run(code)
    ran.ended("MODEL_ERROR", "said anyway")
    assert ran.log[0] == "before"
    assert ran.log[-1] == "ValueError: said anyway"


async def test_what_was_printed_before_a_crash_is_kept(run: Run) -> None:
    code = """
    import ctypes
    def run(i, o):
        print("the last words")
        ctypes.string_at(0)
    """
    ran = await run(code)
    ran.ended("CRASHED")
    assert ran.log == ["the last words"]


async def test_c_library_output_is_brought_out(run: Run) -> None:
    code = """
    import ctypes
    def run(i, o):
        ctypes.CDLL(None).printf(b"from C\\n")
        return {"a": 1}
    """
    assert (await run(code)).log == ["from C"]
