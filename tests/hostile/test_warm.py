"""Several jobs in one sandbox: fast, and nothing of a job is there for the next."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiodocker
import msgspec
import pytest

from shared.sandbox import SandboxSpec
from shared.sandbox.inside.identity import HARNESS_UID, MODEL_UID
from shared.statuses import Isolation
from tests.hostile.conftest import MakeImage, runtimes, sandboxes
from tests.hostile.warm import MODEL, Warm, loaded_at, opened

pytestmark = pytest.mark.hostile


@pytest.fixture
async def warm_image(make_image: MakeImage) -> str:
    return await make_image({"predict.py": MODEL})


@pytest.fixture(params=runtimes())
async def fork(
    docker: aiodocker.Docker, spec: SandboxSpec, warm_image: str, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Warm]:
    changed = msgspec.structs.replace(spec, image=warm_image, isolation=Isolation.FORK, runtime=request.param)
    async with opened(docker, changed, tmp_path) as session:
        yield session
    assert await sandboxes(docker, spec) == []


@pytest.fixture(params=[Isolation.FORK, Isolation.WARM])
def isolation(request: pytest.FixtureRequest) -> Isolation:
    found: Isolation = request.param
    return found


@pytest.fixture(params=runtimes())
async def warm(
    docker: aiodocker.Docker,
    spec: SandboxSpec,
    warm_image: str,
    isolation: Isolation,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> AsyncIterator[Warm]:
    async with opened(
        docker, msgspec.structs.replace(spec, image=warm_image, isolation=isolation, runtime=request.param), tmp_path
    ) as session:
        yield session
    assert await sandboxes(docker, spec) == []


async def test_the_model_is_loaded_once(warm: Warm) -> None:
    first = await loaded_at(warm)
    assert warm.session.loaded
    for _ in range(5):
        assert await loaded_at(warm) == first


LEAVE = {
    "files": """
        import os, pathlib
        def run(i, o):
            for folder in ("/tmp", "/dev/shm", o):
                (pathlib.Path(folder) / "left").write_text("x")
                deep = pathlib.Path(folder) / "d" / "e"
                deep.mkdir(parents=True)
                (deep / "f").write_text("x")
                os.chmod(deep.parent, 0)
            return {"a": 1}
    """,
    "processes": """
        import os, subprocess, sys, time
        def run(i, o):
            for _ in range(3):
                subprocess.Popen([sys.executable, "-c", "import os, time; os.setsid(); time.sleep(100)"])
            if os.fork() == 0:
                if os.fork() == 0:
                    time.sleep(100)
                os._exit(0)
            return {"a": 1}
    """,
    "open standard streams": """
        import sys
        def run(i, o):
            sys.stdout.write("half a line")
            return {"a": 1}
    """,
}
LOOK = """
    import os, pathlib
    def run(i, o):
        found = [str(p) for f in ("/tmp", "/dev/shm", o) for p in pathlib.Path(f).rglob("*")]
        uids = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            said = pathlib.Path(f"/proc/{pid}/status").read_text()
            if said.split("State:")[1].split()[0] not in "ZX":
                uids.append(int(said.split("Uid:")[1].split()[0]))
        return {"files": found, "uids": uids, "in": os.listdir("/workspace/in"), "at": LOADED_AT}
"""


def nobody_else(uids: list[int], warm: Warm) -> None:
    """Pid 1, the process that waits to take the outputs, the loaded process, and in `fork` the job's own."""
    assert set(uids) == {HARNESS_UID, MODEL_UID}
    assert uids.count(HARNESS_UID) <= 2
    assert uids.count(MODEL_UID) == (2 if warm.session.isolation is Isolation.FORK else 1)


@pytest.mark.parametrize("what", LEAVE)
async def test_nothing_of_a_job_is_there_for_the_next(warm: Warm, what: str) -> None:
    first = await loaded_at(warm)
    (await warm.run(LEAVE[what])).ended(None)
    after = await warm.run(LOOK)
    after.ended(None)
    result = after.outcome.result
    assert result
    assert result["files"] == ["/tmp/made-by-setup"]
    nobody_else(result["uids"], warm)
    assert result["in"] == ["image.png"]
    if not warm.runtime:  # gVisor may have it loaded anew, which leaves no more behind
        assert result["at"] == first
    assert after.log == []


async def test_memory_of_a_forked_job_is_gone(fork: Warm) -> None:
    await fork.run("""
        import os, sys
        def run(i, o):
            sys.secret = os.environ["SECRET"] = "x"
            return {"a": 1}
    """)
    after = await fork.run("""
        import os, sys
        def run(i, o):
            return {"found": hasattr(sys, "secret") or "SECRET" in os.environ}
    """)
    assert after.ended(None).outcome.result == {"found": False}


BAD = {
    "MODEL_ERROR": "def run(i, o):\n    raise ValueError('no')",
    "TIMEOUT": "import time\ndef run(i, o):\n    time.sleep(60)",
    "OUT_OF_MEMORY": "def run(i, o):\n    x = []\n    while True:\n        x.append(b'x' * (1 << 20))",
    "CRASHED": "import os, signal\ndef run(i, o):\n    os.kill(os.getpid(), signal.SIGSEGV)",
    "NO_RESULT": "import os\ndef run(i, o):\n    os._exit(0)",
    "RESULT_NOT_DICT": "def run(i, o):\n    return 1",
    "NO_OUTPUT": "def run(i, o):\n    return {}",
    "PROCESS_LIMIT": "import os\ndef run(i, o):\n    while True:\n        os.fork()",
    "DISK_LIMIT": "def run(i, o):\n    open('/tmp/x', 'wb').write(b'x' * (16 << 20))",
    "OUTPUT_TYPE_FORBIDDEN": "import os\ndef run(i, o):\n    os.symlink('/', o + '/l')\n    return {'a': 1}",
}


@pytest.mark.parametrize("code", BAD)
async def test_a_bad_end_has_its_code_and_the_next_job_is_well(warm: Warm, code: str) -> None:
    await loaded_at(warm)
    (await warm.run(BAD[code])).ended(code)
    if warm.runtime and code == "OUT_OF_MEMORY":
        assert warm.session.spent  # gVisor's kernel was in the same group and is gone with the model
        return
    assert not warm.session.spent
    after = await warm.run(LOOK)
    assert after.ended(None).outcome.result
    assert after.outcome.result["files"] == ["/tmp/made-by-setup"]
    nobody_else(after.outcome.result["uids"], warm)


TOUCH = {
    "its file": "def run(i, o):\n    open('/tmp/made-by-setup', 'w').write('yours')\n    return {'a': 1}",
    "its file is removed": "import os\ndef run(i, o):\n    os.unlink('/tmp/made-by-setup')\n    return {'a': 1}",
    "its life": "import os\ndef run(i, o):\n    os.kill(os.getppid(), 9)\n    return {'a': 1}",
    "its clock": (
        "import os, signal, time\ndef run(i, o):\n"
        "    os.kill(os.getppid(), signal.SIGSTOP)\n"
        # gVisor does not show signals that wait: there a stop is seen once it has taken place, and does no harm before
        "    while 'ShdPnd' not in open('/proc/self/status').read():\n"
        "        if open(f'/proc/{os.getppid()}/stat').read().rsplit(')', 1)[1].split()[0] in 'Tt':\n"
        "            break\n"
        "        time.sleep(0.001)\n"
        "    return {'a': 1}"
    ),
    "its limits": (
        "import os, resource\ndef run(i, o):\n"
        "    resource.prlimit(os.getppid(), resource.RLIMIT_FSIZE, (1, 1))\n    return {'a': 1}"
    ),
}


@pytest.mark.parametrize("what", TOUCH)
async def test_a_touched_model_is_loaded_anew(fork: Warm, what: str) -> None:
    first = await loaded_at(fork)
    touching = await fork.run(TOUCH[what])
    if what != "its life":
        touching.ended(None)
    assert not fork.session.loaded
    assert await loaded_at(fork) != first
    after = await fork.run("def run(i, o):\n    return {'a': open('/tmp/made-by-setup').read()}")
    assert after.ended(None).outcome.result == {"a": "mine"}


CLOSED = {
    "memory": "open(f'/proc/{os.getppid()}/mem', 'r+b')",
    "descriptors": "os.listdir(f'/proc/{os.getppid()}/fd')",
    "trace": "check(ctypes.CDLL(None, use_errno=True).ptrace(16, os.getppid(), 0, 0))",
}


@pytest.mark.parametrize("what", CLOSED)
async def test_the_loaded_process_is_closed_to_its_jobs(fork: Warm, what: str) -> None:
    # gVisor shows a process's descriptors to its uid (docs/operations.md says so)
    shown = bool(fork.runtime) and what == "descriptors"
    ran = await fork.run(f"""
        import ctypes, os
        def check(answer):
            if answer != 0:
                raise PermissionError("refused")
        def run(i, o):
            try:
                {CLOSED[what]}
            except PermissionError:
                return {{"refused": True}}
            return {{"refused": False}}
    """)
    assert ran.ended(None).outcome.result == {"refused": not shown}


async def test_a_forged_report_harms_only_its_own_job(fork: Warm) -> None:
    first = await loaded_at(fork)
    forged = await fork.run("""
        import os, struct, time
        def frame(kind, payload):
            return struct.pack(">cI", kind, len(payload)) + payload
        def run(i, o):
            os.write(4, frame(b"E", b"0") + frame(b"Y", b"x") + b"V\\xff\\xff")
            time.sleep(1)
            return {"a": 1}
    """)
    assert forged.outcome.code == "NO_RESULT"
    assert await loaded_at(fork) == first


SYSTEM_V = {
    "memory": "shmget(1234, 4096, 0o1666)",
    "semaphores": "semget(1234, 1, 0o1666)",
    "messages": "msgget(1234, 0o1666)",
}


@pytest.mark.parametrize("what", SYSTEM_V)
async def test_system_v_objects_end_the_sandbox(fork: Warm, what: str) -> None:
    made = await fork.run(f"""
        import ctypes
        def run(i, o):
            return {{"id": ctypes.CDLL(None).{SYSTEM_V[what]}}}
    """)
    result = made.ended(None).outcome.result
    assert result
    assert result["id"] >= 0
    assert fork.session.spent


async def test_a_model_that_died_between_jobs_is_loaded_anew(fork: Warm) -> None:
    first = await loaded_at(fork)
    dying = await fork.run(
        """
        import os, threading
        def run(i, o):
            threading.Timer(0.05, os._exit, [0]).start()
            return {"a": 1}
        """,
        inside=True,
    )
    dying.ended(None)
    assert fork.session.threads == 2
    await asyncio.sleep(0.2)
    assert await loaded_at(fork) != first


async def test_a_job_inside_warms_the_process_up(fork: Warm) -> None:
    (await fork.run("import sys\ndef run(i, o):\n    sys.warmed = True\n    return {'a': 1}", inside=True)).ended(None)
    after = await fork.run("import sys\ndef run(i, o):\n    return {'a': hasattr(sys, 'warmed')}")
    assert after.ended(None).outcome.result == {"a": True}


SHARING = """
import fcntl, mmap, os, pathlib
shared = mmap.mmap(-1, 4096)
shared[:1] = b"0"
table = open("/app/predict.py")
pathlib.Path("/tmp/made-by-setup").write_text("mine")
LOADED_AT = __import__("time").monotonic()
def run(input_path, output_dir, params):
    scope = {"LOADED_AT": LOADED_AT, "shared": shared, "table": table}
    exec(compile(params["code"], "/app/trick.py", "exec"), scope)
    return scope["run"](input_path, output_dir)
"""


async def test_open_files_stand_as_they_stood(
    docker: aiodocker.Docker, spec: SandboxSpec, make_image: MakeImage, tmp_path: Path
) -> None:
    """A forked process has the very descriptors of the loaded one: position and flags are common to both."""
    spec = msgspec.structs.replace(spec, image=await make_image({"predict.py": SHARING}), isolation=Isolation.FORK)
    async with opened(docker, spec, tmp_path) as fork:
        first = await loaded_at(fork)
        read = "def run(i, o):\n    return {'read': len(table.read())}"
        whole = len(SHARING)
        for _ in range(2):
            assert (await fork.run(read)).ended(None).outcome.result == {"read": whole}
        await fork.run(
            "import os\ndef run(i, o):\n    [os.set_blocking(fd, False) for fd in (1, 2, 4)]\n    return {'a': 1}"
        )
        assert (
            await fork.run(
                "import os\ndef run(i, o):\n    return {'blocking': [os.get_blocking(fd) for fd in (1, 2, 4)]}"
            )
        ).ended(None).outcome.result == {"blocking": [True] * 3}
        assert await loaded_at(fork) == first


async def test_memory_shared_with_the_loaded_process(
    docker: aiodocker.Docker, spec: SandboxSpec, make_image: MakeImage, tmp_path: Path
) -> None:
    spec = msgspec.structs.replace(spec, image=await make_image({"predict.py": SHARING}), isolation=Isolation.FORK)
    look = "def run(i, o):\n    return {'found': bytes(shared[:1]).decode()}"
    async with opened(docker, spec, tmp_path) as fork:
        first = await loaded_at(fork)
        (await fork.run(look)).ended(None)
        assert await loaded_at(fork) == first  # not written: not loaded anew
        (await fork.run("def run(i, o):\n    shared[:1] = b'1'\n    return {'a': 1}")).ended(None)
        assert (await fork.run(look)).ended(None).outcome.result == {"found": "0"}
        assert await loaded_at(fork) != first


async def test_a_pipe_of_the_loaded_process_carries_nothing_over(
    docker: aiodocker.Docker, spec: SandboxSpec, make_image: MakeImage, tmp_path: Path
) -> None:
    source = (
        SHARING.replace("scope = {", "scope = {'pipe': PIPE, ") + "PIPE = os.pipe()\nos.set_blocking(PIPE[0], False)\n"
    )
    spec = msgspec.structs.replace(spec, image=await make_image({"predict.py": source}), isolation=Isolation.FORK)
    async with opened(docker, spec, tmp_path) as fork:
        (await fork.run("import os\ndef run(i, o):\n    return {'a': os.write(pipe[1], b'x')}")).ended(None)
        found = await fork.run("""
            import os
            def run(i, o):
                try:
                    return {"found": len(os.read(pipe[0], 9))}
                except BlockingIOError:
                    return {"found": 0}
        """)
        assert found.ended(None).outcome.result == {"found": 0}


HUNTER = (
    SHARING
    + """
import signal
def hunt(*_):
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) not in (1, os.getpid()):
            try:
                parent = open(f"/proc/{name}/stat").read().rsplit(")", 1)[1].split()[1]
                if parent == "1":
                    os.kill(int(name), HOW)
            except OSError:
                pass
signal.signal(signal.SIGALRM, hunt)
signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
"""
)


@pytest.mark.parametrize("how", ["SIGKILL", "SIGSTOP"])
async def test_the_loaded_process_cannot_hunt_the_collector(
    docker: aiodocker.Docker, spec: SandboxSpec, make_image: MakeImage, tmp_path: Path, how: str
) -> None:
    """It has the collector's uid. What it does to its own jobs is its fault, and never the platform's."""
    source = HUNTER.replace("HOW", f"signal.{how}")
    spec = msgspec.structs.replace(spec, image=await make_image({"predict.py": source}), isolation=Isolation.FORK)
    many = "def run(i, o):\n    [open(f'{o}/{n}', 'wb').write(bytes(100000)) for n in range(20)]\n    return {'a': 1}"
    async with opened(docker, spec, tmp_path) as fork:
        for _ in range(5):
            assert len((await fork.run(many)).ended(None).files) == 20
