"""Every end of a model has its code, and the message names what to look at."""

import pytest

from shared.settings import MIB
from tests.hostile.conftest import MakeImage, Run, runtimes

pytestmark = pytest.mark.hostile

ENDS = {
    "raise": (
        """
        def run(i, o):
            raise ValueError("the sky is not an image")
        """,
        "MODEL_ERROR",
        ["trick.py:3: ValueError: the sky is not an image"],
    ),
    "recursion": ("def run(i, o): return run(i, o)", "MODEL_ERROR", ["trick.py:1: RecursionError"]),
    "message that raises": (
        """
        class Bad(Exception):
            def __str__(self):
                raise KeyError
        def run(i, o):
            raise Bad
        """,
        "MODEL_ERROR",
        ["trick.py:6", "Bad"],
    ),
    "huge message": ("def run(i, o): raise ValueError('x' * 10**7)", "MODEL_ERROR", ["ValueError: xxx"]),
    "keyboard interrupt": ("def run(i, o): raise KeyboardInterrupt", "MODEL_ERROR", ["KeyboardInterrupt"]),
    "syntax": ("def run(i, o): return {", "MODEL_ERROR", ["trick.py:1: SyntaxError"]),
    "hang": ("def run(i, o):\n while True: pass", "TIMEOUT", ["within 1 s"]),
    "sleep without signals": (
        """
        import signal, time
        def run(i, o):
            for number in set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP}:
                signal.signal(number, signal.SIG_IGN) if number < 32 else None
            time.sleep(600)
        """,
        "TIMEOUT",
        ["within 1 s", "clinai.toml"],
    ),
    "stop itself": (
        "import os, signal\ndef run(i, o): os.kill(os.getpid(), signal.SIGSTOP)",
        "TIMEOUT",
        ["within 1 s"],
    ),
    "eat memory": (
        """
        def run(i, o):
            kept = []
            while True:
                kept.append(bytearray(1 << 20))
        """,
        "OUT_OF_MEMORY",
        ["64 MiB"],
    ),
    "eat memory in a child, parent waits": (
        """
        import os
        def run(i, o):
            if os.fork() == 0:
                kept = []
                while True:
                    kept.append(bytearray(1 << 20))
            os.wait()
            raise RuntimeError("my worker died")
        """,
        "OUT_OF_MEMORY",
        ["64 MiB", "my worker died"],
    ),
    "memory error": ("def run(i, o): raise MemoryError('no room')", "OUT_OF_MEMORY", ["64 MiB", "no room"]),
    "impossible allocation": ("def run(i, o): bytearray(1 << 60)", "OUT_OF_MEMORY", ["trick.py:1: MemoryError"]),
    "fork bomb": (
        """
        import os
        def run(i, o):
            while True:
                os.fork()
        """,
        "PROCESS_LIMIT",
        ["24"],
    ),
    "fork bomb that never tires": (
        """
        import os
        def run(i, o):
            while True:
                try:
                    os.fork()
                except OSError:
                    pass
        """,
        "PROCESS_LIMIT",
        ["24", "did not finish within 1 s"],
    ),
    "threads": (
        """
        import threading, time
        def run(i, o):
            for _ in range(1000):
                threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        """,
        "PROCESS_LIMIT",
        ["24", "can't start new thread"],
    ),
    "fill out": (
        """
        def run(i, o):
            with open(o + "/big", "wb") as file:
                while True:
                    file.write(bytes(1 << 16))
        """,
        "DISK_LIMIT",
        ["/workspace/out", "4 MiB"],
    ),
    "fill tmp": (
        """
        def run(i, o):
            with open("/tmp/big", "wb") as file:
                while True:
                    file.write(bytes(1 << 16))
        """,
        "DISK_LIMIT",
        ["filled /tmp", "8 MiB"],
    ),
    "fill tmp, nameless, wrapped": (
        """
        import tempfile
        def run(i, o):
            file = tempfile.TemporaryFile()
            try:
                while True:
                    file.write(bytes(1 << 16))
            except OSError:
                pass
            raise ValueError("encoder failed") from None
        """,
        "DISK_LIMIT",
        ["filled /tmp", "encoder failed"],
    ),
    "fill shm": (
        """
        def run(i, o):
            with open("/dev/shm/big", "wb") as file:
                while True:
                    file.write(bytes(1 << 16))
        """,
        "DISK_LIMIT",
        [],
    ),
    "inodes of out": (
        """
        def run(i, o):
            for n in range(10**6):
                open(f"{o}/{n}", "w").close()
        """,
        "DISK_LIMIT",
        ["/workspace/out", "20 files"],
    ),
    "inodes of tmp": (
        """
        def run(i, o):
            for n in range(10**6):
                open(f"/tmp/{n}", "w").close()
        """,
        "DISK_LIMIT",
        ["/tmp"],
    ),
    "sparse terabyte": (
        "def run(i, o):\n with open(o + '/sparse', 'wb') as file: file.truncate(1 << 40)",
        "DISK_LIMIT",
        ["trick.py:2"],
    ),
    "segfault": ("import ctypes\ndef run(i, o): ctypes.string_at(0)", "CRASHED", ["SIGSEGV"]),
    "abort": ("import os\ndef run(i, o): os.abort()", "CRASHED", ["SIGABRT"]),
    "kill itself": (
        "import os, signal\ndef run(i, o): os.kill(os.getpid(), signal.SIGKILL)",
        "CRASHED",
        ["SIGKILL", "inside the sandbox"],
    ),
    "kill everything": (
        """
        import os
        def run(i, o):
            if os.fork() == 0:
                os.kill(-1, 9)
            os.wait()
        """,
        "CRASHED",
        ["SIGKILL"],
    ),
    "sys.exit": ("import sys\ndef run(i, o): sys.exit(0)", "NO_RESULT", ["sys.exit()", "trick.py:2"]),
    "os._exit": ("import os\ndef run(i, o): os._exit(0)", "NO_RESULT", ["exit status 0"]),
    "close everything": (
        "import os\ndef run(i, o):\n os.closerange(0, 4096)\n return {'a': 1}",
        "NO_RESULT",
        ["exit status 1"],
    ),
    "exec another program": (
        "import os\ndef run(i, o): os.execv('/bin/true', ['true'])",
        "NO_RESULT",
        ["exit status 0"],
    ),
    "empty": ("def run(i, o): return {}", "NO_OUTPUT", ["empty dict"]),
}

QUICK_END = {"hang", "sleep without signals", "stop itself", "fork bomb that never tires"}


@pytest.mark.parametrize(("code", "end", "says"), ENDS.values(), ids=ENDS)
async def test_end_has_its_code(run: Run, request: pytest.FixtureRequest, code: str, end: str, says: list[str]) -> None:
    name = request.node.callspec.id
    ran = await run(code, timeout_s=1.0 if name in QUICK_END else 8.0)
    ran.ended(end, *says)
    assert len(ran.outcome.message.encode()) <= 2048
    assert ran.outcome.result is None
    assert ran.outcome.outputs == []


@pytest.mark.parametrize(
    "name", ["raise", "hang", "eat memory", "fork bomb", "threads", "fill tmp", "segfault", "os._exit"]
)
@pytest.mark.parametrize("runtime", runtimes())
async def test_end_under_each_runtime(run: Run, runtime: str, name: str) -> None:
    """gVisor has other counters and kills a sandbox whole; the codes are the same."""
    code, end, says = ENDS[name]
    ran = await run(code, runtime=runtime, timeout_s=1.0 if name in QUICK_END else 8.0)
    ran.ended(end, *says)


@pytest.mark.parametrize("runtime", runtimes())
async def test_good_end(run: Run, runtime: str) -> None:
    code = """
    import os
    def run(input_path, output_dir):
        os.mkdir(output_dir + "/extra")
        open(output_dir + "/extra/mask.txt", "w").write("1")
        with open(input_path, "rb") as source, open(output_dir + "/copy.bin", "wb") as target:
            target.write(source.read())
        print("done", flush=True)
        threads = os.environ["OMP_NUM_THREADS"]
        return {"path": input_path, "uid": os.getuid(), "groups": os.getgroups(), "threads": threads}
    """
    ran = (await run(code, runtime=runtime)).ended(None)
    assert ran.outcome.result == {"path": "/workspace/in/image.png", "uid": 65532, "groups": [], "threads": "1"}
    assert ran.files.keys() == {"copy.bin", "extra/mask.txt"}
    assert ran.files["copy.bin"].startswith(b"\x89PNG")
    assert ran.log == ["done"]
    assert list(ran.outcome.timings) == ["container", "load", "run", "collect", "close"]
    assert ran.outcome.peak_memory_bytes > MIB


async def test_timeout_while_loading(run: Run, make_image: MakeImage) -> None:
    image = await make_image({"predict.py": "import time\ntime.sleep(60)\ndef run(i, o): return {}"})
    (await run(image=image, timeout_s=1.0)).ended("TIMEOUT", "within 1 s", "still loading")


async def test_fault_while_loading_names_file_and_line(run: Run, make_image: MakeImage) -> None:
    image = await make_image({"predict.py": "import helper\n", "helper.py": "\n\nimport nowhere_to_be_found\n"})
    ran = await run(image=image)
    ran.ended("MODEL_ERROR", "helper.py:3: ModuleNotFoundError", "while predict.py was imported")
    assert ran.log[0].startswith("Traceback")
    assert "nowhere_to_be_found" in ran.log[-1]


async def test_setup_is_called_once_and_its_fault_is_named(run: Run, make_image: MakeImage) -> None:
    good = "calls = []\ndef setup(): calls.append(1)\ndef run(input_path, output_dir): return {'calls': calls}"
    assert (await run(image=await make_image({"predict.py": good}))).outcome.result == {"calls": [1]}
    bad = "def setup():\n    1 / 0\ndef run(i, o): return {}"
    (await run(image=await make_image({"predict.py": bad}))).ended("MODEL_ERROR", "predict.py:2", "in setup()")


async def test_modules_beside_predict_shadow_only_the_model(run: Run, make_image: MakeImage) -> None:
    """A package may carry its own json.py or struct.py; the harness and the model's runner do not see them."""
    broken = "raise SystemExit('shadowed')"
    names = ("json.py", "struct.py", "traceback.py", "os.py", "select.py", "sitecustomize.py")
    files = {**dict.fromkeys(names, broken), "predict.py": "def run(i, o): return {'fine': True}"}
    assert (await run(image=await make_image(files))).outcome.result == {"fine": True}


async def test_input_too_large_starts_nothing(run: Run) -> None:
    (await run("", data=bytes(2 * MIB))).ended("INPUT_TOO_LARGE", str(2 * MIB), str(MIB))


async def test_atexit_and_threads_do_not_delay_a_returned_result(run: Run) -> None:
    code = """
    import atexit, threading, time
    def run(i, o):
        atexit.register(time.sleep, 60)
        threading.Thread(target=time.sleep, args=(60,)).start()
        return {"a": 1}
    """
    ran = (await run(code)).ended(None)
    assert ran.outcome.timings["run"] < 2000


async def test_stdin_is_empty(run: Run) -> None:
    code = "import sys\ndef run(i, o): return {'read': sys.stdin.read()}"
    assert (await run(code)).outcome.result == {"read": ""}
