"""What run() may return, and what a model can try with the pipe its result goes through."""

from typing import Any

import pytest

from tests.hostile.conftest import Run

pytestmark = pytest.mark.hostile

BAD = {
    "list": ("[1, 2]", "RESULT_NOT_DICT", ["returned list"]),
    "none": ("None", "RESULT_NOT_DICT", ["NoneType"]),
    "generator": ("(n for n in [1])", "RESULT_NOT_DICT", ["generator"]),
    "nan": ("{'score': float('nan')}", "RESULT_NOT_JSON", ["result['score'] is nan"]),
    "infinity": ("{'a': {'b': [0, -float('inf')]}}", "RESULT_NOT_JSON", ["result['a']['b'][1] is -inf"]),
    "bytes": ("{'image': b'123'}", "RESULT_NOT_JSON", ["result['image'] is bytes", "output_dir"]),
    "set": ("{'labels': {'a'}}", "RESULT_NOT_JSON", ["result['labels'] is set", "sorted"]),
    "path": ("{'p': __import__('pathlib').Path('a')}", "RESULT_NOT_JSON", ["PosixPath", "str(...)"]),
    "object": ("{'x': object()}", "RESULT_NOT_JSON", ["result['x'] is object"]),
    "numpy-like number": (
        "{'n': type('int64', (), {'__module__': 'numpy', 'tolist': 0, 'ndim': 0})()}",
        "RESULT_NOT_JSON",
        ["result['n'] is numpy.int64", "int(...)"],
    ),
    "numpy-like array": (
        "{'n': type('ndarray', (), {'__module__': 'numpy', 'tolist': 0, 'ndim': 2})()}",
        "RESULT_NOT_JSON",
        ["numpy.ndarray", ".tolist()"],
    ),
    "key": ("{'a': {1: 2}}", "RESULT_NOT_JSON", ["result['a'] has the key 1 of type int"]),
    "surrogate": ("{'a': chr(0xD800)}", "RESULT_NOT_JSON", ["result['a']", "surrogate"]),
    "nul": ("{'a': chr(0)}", "RESULT_NOT_JSON", ["result['a']", "NUL"]),
    "surrogate in a key": ("{chr(0xD800): 1}", "RESULT_NOT_JSON", ["a key of result"]),
    "huge int": ("{'a': 10 ** 5000}", "RESULT_NOT_JSON", ["digits"]),
    "recursive": ("a", "RESULT_NOT_JSON", ["result['self'] contains itself"]),
    "deep": ("deep", "RESULT_NOT_JSON", ["deeper than 100"]),
    "large": ("{'a': 'x' * 65536}", "RESULT_TOO_LARGE", ["65544 bytes", "65536"]),
}
PREPARE = "a = {}; a['self'] = a; deep = {}\n    for _ in range(2000): deep = {'d': deep}"


@pytest.mark.parametrize(("value", "end", "says"), BAD.values(), ids=BAD)
async def test_result_that_cannot_be_kept(run: Run, value: str, end: str, says: list[str]) -> None:
    (await run(f"def run(i, o):\n    {PREPARE}\n    return {value}")).ended(end, *says)


async def test_result_comes_as_it_was(run: Run) -> None:
    code = """
    import collections, enum
    class Colour(enum.IntEnum):
        RED = 1
    class Text(str):
        def __str__(self): return "other"
    def run(i, o):
        shared = [1]
        return collections.OrderedDict(
            text="naïve \\U0001f600 \\n", tuple=(1, 2.5), enum=Colour.RED, none=None, true=True, twice=[shared, shared],
            big=10**30, sub=Text("kept"), escaped="\\\\u0000 \\\\ud800",
        )
    """
    expected: dict[str, Any] = {
        "text": "naïve \U0001f600 \n",
        "tuple": [1, 2.5],
        "enum": 1,
        "none": None,
        "true": True,
        "twice": [[1], [1]],
        "big": 10**30,
        "sub": "kept",
        "escaped": "\\u0000 \\ud800",
    }
    assert (await run(code)).ended(None).outcome.result == expected


FORGED = {
    "not json": (b"V", b"{", "RESULT_NOT_JSON"),
    "nan": (b"V", b'{"a": NaN}', "RESULT_NOT_JSON"),
    "not a dict": (b"V", b"[]", "RESULT_NOT_DICT"),
    "nul": (b"V", b'{"a": "\\u0000"}', "RESULT_NOT_JSON"),
    "surrogate": (b"V", b'{"a": "\\uD800"}', "RESULT_NOT_JSON"),
    "deep": (b"V", b'{"a": ' + b"[" * 60000 + b"]" * 60000 + b"}", "RESULT_TOO_LARGE"),
    "deep and small": (b"V", b'{"a": ' + b"[" * 30000 + b"]" * 30000 + b"}", "RESULT_NOT_JSON"),
    "fault of a wrong shape": (b"X", b'{"kind": 5}', "MODEL_ERROR"),
    "fault that is no dict": (b"X", b"[1]", "TIMEOUT"),
    "frame of pid 1": (b"Z", b'{"peak": 1}', "TIMEOUT"),
}


@pytest.mark.parametrize(("kind", "payload", "end"), FORGED.values(), ids=FORGED)
async def test_forged_report_is_judged_like_any_other(run: Run, kind: bytes, payload: bytes, end: str) -> None:
    code = f"""
    import os, struct, time
    def run(i, o):
        data = memoryview(struct.pack(">cI", {kind!r}, {len(payload)}) + {payload!r})
        while data:
            data = data[os.write(4, data):]
        time.sleep(60)
    """
    (await run(code, timeout_s=1.5)).ended(end)


async def test_gigabyte_on_the_report_pipe_is_bounded(run: Run) -> None:
    code = """
    import os, struct
    def run(i, o):
        os.write(4, struct.pack(">cI", b"V", 1 << 30))
        while True:
            os.write(4, bytes(1 << 20))
    """
    ran = await run(code, timeout_s=1.5)
    ran.ended("TIMEOUT")
    assert ran.outcome.peak_memory_bytes < 64 << 20


async def test_forged_success_is_only_its_own_result(run: Run) -> None:
    code = """
    import os, signal, struct
    def run(i, o):
        os.write(4, struct.pack(">cI", b"V", 8) + b'{"a": 1}')
        os.kill(os.getpid(), signal.SIGKILL)
    """
    assert (await run(code)).ended(None).outcome.result == {"a": 1}


async def test_child_that_comes_back_out_of_run_does_not_answer(run: Run) -> None:
    code = """
    import os
    def run(i, o):
        pid = os.fork()
        if pid == 0:
            return {"who": "child"}
        os.waitpid(pid, 0)
        return {"who": "parent"}
    """
    assert (await run(code)).outcome.result == {"who": "parent"}


NOT_OURS = {
    "threads without end": ("T", b"Infinity", "NO_RESULT"),
    "threads of many digits": ("T", b"9" * 5000, "NO_RESULT"),
    "a fault with no number": ("X", b'{"kind": "raised", "x": NaN}', "MODEL_ERROR"),
    "a fault with half a character": ("X", b'{"kind": "raised", "text": "\\ud800"}', "MODEL_ERROR"),
    "a deep fault": ("X", b'{"x": ' + b"[" * 900 + b"]" * 900 + b"}", "MODEL_ERROR"),
    "a fault that is a list": ("X", b"[1]", "NO_RESULT"),
    "an exit without end": ("E", b"1e999", None),
}


@pytest.mark.parametrize("what", NOT_OURS)
async def test_forged_report_is_the_models_fault_and_never_the_platforms(run: Run, what: str) -> None:
    kind, payload, code = NOT_OURS[what]
    forge = f"""
    import os, struct, time
    def run(i, o):
        os.write(4, struct.pack(">cI", {kind.encode()!r}, {len(payload)}) + {payload!r})
        time.sleep(0.2)
        return {{"a": 1}}
    """
    assert (await run(forge)).outcome.code == code


async def test_error_in_a_file_whose_name_is_no_text(run: Run) -> None:
    code = """
    def run(i, o):
        exec(compile("raise ValueError('no')", "/app/\\udc80.py", "exec"))
    """
    (await run(code)).ended("MODEL_ERROR", "ValueError: no")
