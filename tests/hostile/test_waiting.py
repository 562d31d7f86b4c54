"""Processes that wait for the next job: no job reaches them, and what befalls them befalls nobody else."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import aiodocker
import msgspec
import pytest

from shared.errors import PlatformFault
from shared.sandbox import SandboxSpec
from shared.sandbox.inside.identity import HARNESS_UID, MODEL_UID
from shared.statuses import Isolation
from tests.hostile.conftest import MakeImage, runtimes, sandboxes
from tests.hostile.warm import MODEL, OK, Warm, loaded_at, opened

pytestmark = pytest.mark.hostile

Open = Callable[..., Awaitable[Warm]]


@pytest.fixture
async def open_model(
    docker: aiodocker.Docker, spec: SandboxSpec, make_image: MakeImage, tmp_path: Path
) -> AsyncIterator[Open]:
    """Open a sandbox with a loaded model; all of them are closed at the end."""
    async with AsyncExitStack() as stack:

        async def open_(source: str = MODEL, isolation: Isolation = Isolation.FORK, runtime: str = "") -> Warm:
            image = await make_image({"predict.py": source})
            changed = msgspec.structs.replace(spec, image=image, isolation=isolation, runtime=runtime)
            return await stack.enter_async_context(opened(docker, changed, tmp_path))

        yield open_
    assert await sandboxes(docker, spec) == []


PROCESSES = """
import os, pathlib
for pid in filter(str.isdigit, os.listdir("/proc")):
    if int(pid) in (1, os.getpid()):
        continue
    try:
        said = pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        continue
    word = lambda name: said.split(name + ":")[1].split()[0]
    if word("State") not in "ZX":
        print(pid, word("PPid"))
"""


async def within(docker: aiodocker.Docker, spec: SandboxSpec, code: str, uid: int) -> str:
    """Run Python code of ours in the sandbox's container, as whom we want; return what it prints."""
    (container,) = await sandboxes(docker, spec)
    run = await docker.containers.container(container).exec(
        ["/usr/local/bin/python", "-I", "-c", code], user=f"{uid}:{uid}"
    )
    said = b""
    async with run.start(detach=False) as stream:
        while (message := await stream.read_out()) is not None:
            said += message.data
    return said.decode()


async def waiting(docker: aiodocker.Docker, spec: SandboxSpec) -> dict[str, int]:
    """Pids of the loaded process and of the one forked for the next job."""
    for _ in range(100):
        found: dict[str, int] = {}
        said = await within(docker, spec, PROCESSES, MODEL_UID)
        for pid, parent in (map(int, line.split()) for line in said.splitlines()):
            if parent == 0:
                continue  # our own look before this one, not yet gone
            found["loaded" if parent == 1 else "forked"] = pid
        if len(found) == 2:
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(f"nobody waits: {said}")


ATTEMPTS = {
    "ask for it": "os.kill(pid, 0)",
    "kill": "os.kill(pid, 9)",
    "stop": "os.kill(pid, signal.SIGSTOP)",
    "continue": "os.kill(pid, signal.SIGCONT)",
    "memory": "open(f'/proc/{pid}/mem', 'r+b')",
    "memory to read": "open(f'/proc/{pid}/mem', 'rb')",
    "memory by call": "vm(pid)",
    "descriptors": "os.listdir(f'/proc/{pid}/fd')",
    "its order": "open(f'/proc/{pid}/fd/3', 'wb')",
    "a descriptor by its handle": "call(438, os.pidfd_open(pid), 0, 0)",
    "trace": "ptrace(16, pid)",
    "seize": "ptrace(0x4206, pid)",
    "limits": "resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, 1))",
    "processors": "os.sched_setaffinity(pid, [0])",
    "scheduler": "os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))",
    "priority": "os.setpriority(os.PRIO_PROCESS, pid, 19)",
    "offer it for memory": "open(f'/proc/{pid}/oom_score_adj', 'w').write('1000')",
    "environment": "open(f'/proc/{pid}/environ').read()",
    "where it is": "os.readlink(f'/proc/{pid}/cwd')",
    "its root": "os.listdir(f'/proc/{pid}/root')",
}

GVISOR_ALLOWS = {"descriptors", "environment", "processors", "priority"}
"""It shows the numbers of descriptors, and keeps priorities and processors of a process without using them."""


@pytest.mark.parametrize("runtime", runtimes())
async def test_who_takes_the_outputs_is_closed_to_the_job(open_model: Open, runtime: str) -> None:
    warm = await open_model(runtime=runtime)
    await loaded_at(warm)
    ran = await warm.run(f"""
        import ctypes, os, pathlib, resource, signal
        libc = ctypes.CDLL(None, use_errno=True)
        def check(answer, name):
            if answer == -1:
                raise OSError(ctypes.get_errno(), name)
        def call(number, *args):
            check(libc.syscall(number, *args), number)
        def ptrace(what, pid):
            check(libc.ptrace(what, pid, 0, 0), "ptrace")
        def vm(pid):
            class Vec(ctypes.Structure):
                _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]
            buffer = ctypes.create_string_buffer(8)
            here, there = Vec(ctypes.addressof(buffer), 8), Vec(id(buffer), 8)
            check(libc.process_vm_readv(pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0), "vm")
        def run(i, o):
            pid, reached = 1, []
            uids = pathlib.Path("/proc/1/status").read_text().split("Uid:")[1].split()[:4]
            for name, attempt in {ATTEMPTS!r}.items():
                try:
                    eval(attempt, globals(), locals())
                    reached.append(name)
                except OSError:
                    pass
            return {{"uids": uids, "reached": reached}}
    """)
    result = ran.ended(None).outcome.result
    assert result
    assert result["uids"] == [str(HARNESS_UID)] * 4
    assert set(result["reached"]) <= (GVISOR_ALLOWS if runtime else set())


async def test_no_process_of_another_job_lives_beside_a_job(open_model: Open) -> None:
    warm = await open_model()
    look = """
        import os
        def run(i, o):
            return {"me": os.getpid(), "seen": [int(p) for p in os.listdir("/proc") if p.isdigit()]}
    """
    seen: set[int] = set()
    for _ in range(4):
        result = (await warm.run(look)).ended(None).outcome.result
        assert result
        assert result["me"] not in seen
        seen |= set(result["seen"])


async def test_who_is_killed_while_waiting_is_replaced(
    docker: aiodocker.Docker, spec: SandboxSpec, open_model: Open
) -> None:
    warm = await open_model()
    first = await loaded_at(warm)
    for _ in range(3):
        pid = (await waiting(docker, spec))["forked"]
        assert await within(docker, spec, f"import os; os.kill({pid}, 9)", MODEL_UID) == ""
        ran = await warm.run("def run(i, o):\n    open(o + '/x', 'wb').write(b'y' * 9)\n    return {'at': LOADED_AT}")
        assert ran.ended(None).files == {"x": b"y" * 9}
        assert ran.outcome.result == {"at": first}


async def test_who_waits_goes_when_the_loaded_process_changes(
    docker: aiodocker.Docker, spec: SandboxSpec, open_model: Open
) -> None:
    warm = await open_model()
    await loaded_at(warm)
    before = await waiting(docker, spec)
    await warm.run("import sys\ndef run(i, o):\n    sys.changed = True\n    return {'a': 1}", inside=True)
    after = await warm.run(
        "import os, sys\ndef run(i, o):\n    return {'a': hasattr(sys, 'changed'), 'me': os.getpid()}"
    )
    assert after.ended(None).outcome.result
    assert after.outcome.result["a"]
    assert after.outcome.result["me"] != before["forked"]
    now = await waiting(docker, spec)
    assert now["loaded"] == before["loaded"]
    assert now["forked"] not in before.values()


KILLED = """
import os, time
os.kill({pid}, 9)
while os.path.exists("/proc/{pid}"):
    time.sleep(0.01)
"""


async def test_a_loaded_process_that_dies_takes_along_who_waits(
    docker: aiodocker.Docker, spec: SandboxSpec, open_model: Open
) -> None:
    warm = await open_model()
    first = await loaded_at(warm)
    before = await waiting(docker, spec)
    await within(docker, spec, KILLED.format(pid=before["loaded"]), MODEL_UID)
    assert await loaded_at(warm) != first
    assert set((await waiting(docker, spec)).values()).isdisjoint(before.values())


LOCKING = (
    MODEL.replace('scope = {"LOADED_AT"', 'scope = {"table": table, "LOADED_AT"') + "table = open('/app/predict.py')\n"
)
LOCKS = {
    "flock": "fcntl.flock(table, fcntl.LOCK_SH)",
    "of the open file": "fcntl.fcntl(table, 37, struct.pack('hhqqi4x', fcntl.F_RDLCK, 0, 0, 0, 0))",
}


@pytest.mark.parametrize("what", LOCKS)
async def test_a_lock_does_not_outlive_its_job(open_model: Open, what: str) -> None:
    """Both belong to the open file, which the loaded process has, too."""
    warm = await open_model(LOCKING)
    first = await loaded_at(warm)
    (await warm.run(f"import fcntl, struct\ndef run(i, o):\n    {LOCKS[what]}\n    return {{'a': 1}}")).ended(None)
    after = await warm.run("""
        def run(i, o):
            return {"locks": [line for line in open(f"/proc/self/fdinfo/{table.fileno()}") if "lock:" in line]}
    """)
    assert after.ended(None).outcome.result == {"locks": []}
    assert await loaded_at(warm) != first


LEAVE = {
    "attributes": "os.setxattr(o, 'user.left', b'x')",
    "times": "os.utime(o, (12345, 12345))",
    "mode": "os.chmod(o, 0o711)",
    "a semaphore": "multiprocessing.Semaphore(1)",
    "shared memory": "shared_memory.SharedMemory('left', create=True, size=4096)",
    "a message queue": "mq()",
    "a key": "key()",
    "a socket's name": "bind()",
    "a pseudo-terminal": "os.openpty()",
    "a thread": "threading.Thread(target=time.sleep, args=(100,)).start()",
    "working folder": "os.chdir(o)",
    "a mask": "os.umask(0)",
    "environment": "os.environ.update(LEFT='x')",
}


async def test_nothing_odd_is_left_either(open_model: Open) -> None:
    warm = await open_model()
    look = """
        import os, pathlib, socket, stat, threading
        def run(i, o):
            mask = os.umask(0)
            about = os.stat(o)
            return {
                "attributes": os.listxattr(o), "times": [about.st_mtime, about.st_atime], "mode": oct(about.st_mode),
                "files": [str(p) for f in ("/tmp", "/dev/shm", "/dev/mqueue", "/dev/pts", o) if os.path.isdir(f)
                          for p in pathlib.Path(f).rglob("*")],
                "keys": open("/proc/keys").read() if os.path.exists("/proc/keys") else "",
                "sockets": len(open("/proc/net/unix").read().splitlines()) - 1,
                "threads": threading.active_count(), "folder": os.getcwd(), "mask": mask, "left": "LEFT" in os.environ,
            }
    """
    await loaded_at(warm)
    before = (await warm.run(look)).ended(None).outcome.result
    ran = await warm.run(f"""
        import ctypes, multiprocessing, os, socket, threading, time
        from multiprocessing import shared_memory
        libc = ctypes.CDLL(None, use_errno=True)
        def check(answer):
            if answer == -1:
                raise OSError(ctypes.get_errno(), "refused")
        def mq():
            check(libc.mq_open(b"/left", os.O_CREAT | os.O_RDWR, 0o666, None))
        def key():
            check(libc.syscall(248, b"user", b"left", b"x", 1, -4))
        def bind():
            global kept
            kept = socket.socket(socket.AF_UNIX)
            kept.bind("\\0left")
        def run(i, o):
            done = []
            for name, attempt in {LEAVE!r}.items():
                try:
                    eval(attempt, globals(), locals())
                    done.append(name)
                except OSError:
                    pass
            return {{"done": done}}
    """)
    assert ran.ended(None).outcome.result
    assert {"attributes", "times", "a semaphore", "shared memory", "a thread"} <= set(ran.outcome.result["done"])
    assert not {"a message queue", "a key"} & set(ran.outcome.result["done"])
    after = (await warm.run(look)).ended(None).outcome.result
    assert after == before


WAKING = (
    MODEL
    + """
import ctypes, signal
class Event(ctypes.Structure):
    _fields_ = [("value", ctypes.c_void_p), ("signo", ctypes.c_int), ("notify", ctypes.c_int), ("_", ctypes.c_int * 12)]
class Spec(ctypes.Structure):
    _fields_ = [(name, ctypes.c_long) for name in ("every_s", "every_ns", "first_s", "first_ns")]
def hunt(*_):
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            try:
                os.kill(int(name), HOW)
            except OSError:
                pass
signal.signal(signal.SIGCONT, hunt)
timer, libc = ctypes.c_void_p(), ctypes.CDLL(None)
event = Event(None, signal.SIGCONT, 0)
assert libc.timer_create(1, ctypes.byref(event), ctypes.byref(timer)) == 0
assert libc.timer_settime(timer, 0, ctypes.byref(Spec(0, 300000, 0, 300000)), None) == 0
"""
)


@pytest.mark.parametrize("how", ["SIGKILL", "SIGSTOP"])
async def test_a_loaded_process_that_wakes_itself_up_harms_only_its_own_jobs(open_model: Open, how: str) -> None:
    """A timer that sends SIGCONT ends the hold; then it hunts everybody, pid 1 included. Its fault, not ours."""
    many = "def run(i, o):\n    [open(f'{o}/{n}', 'wb').write(bytes(100000)) for n in range(20)]\n    return {'a': 1}"
    ends: set[str | None] = set()
    for _ in range(3):
        warm = await open_model(WAKING.replace("HOW", f"signal.{how}"), Isolation.WARM)
        for _ in range(5):
            outcome = (await warm.run(many)).outcome
            ends.add(outcome.code)
            if outcome.code is None:
                assert len(outcome.outputs) == 20
            if warm.session.spent:
                break
    assert ends <= {None, "MODEL_ERROR"}, ends


async def test_what_befalls_a_sandbox_its_neighbours_do_not_notice(open_model: Open) -> None:
    good, hangs, fills, eats = [await open_model() for _ in range(4)]
    first = await loaded_at(good)
    for bad in (hangs, fills, eats):
        await loaded_at(bad)
    trouble = asyncio.gather(
        hangs.run("import os, time\ndef run(i, o):\n    os.kill(os.getppid(), 19)\n    time.sleep(60)"),
        fills.run("def run(i, o):\n    while True:\n        open('/tmp/x', 'ab').write(b'x' * (1 << 20))"),
        eats.run("def run(i, o):\n    x = []\n    while True:\n        x.append(b'x' * (1 << 20))"),
    )
    jobs = 0
    while not trouble.done():
        assert await loaded_at(good) == first
        jobs += 1
    assert jobs > 3
    assert [ran.outcome.code for ran in await trouble] == ["TIMEOUT", "DISK_LIMIT", "OUT_OF_MEMORY"]
    for bad in (hangs, fills, eats):
        assert not bad.session.spent
        (await bad.run(OK)).ended(None)


async def test_a_model_that_leaks_is_loaded_anew_when_its_memory_is_used_up(open_model: Open) -> None:
    warm = await open_model(isolation=Isolation.WARM)
    first = await loaded_at(warm)
    leak = """
        import sys
        def run(i, o):
            sys.__dict__.setdefault("leak", []).append(b"x" * (24 << 20))
            return {"a": 1}
    """
    codes = []
    while not codes or (codes[-1] is None and len(codes) < 20):
        codes.append((await warm.run(leak)).outcome.code)
    assert codes[-1] == "OUT_OF_MEMORY"
    assert len(codes) > 1
    assert await loaded_at(warm) != first
    (await warm.run(leak)).ended(None)


async def test_a_sandbox_that_dies_between_jobs_is_spent(
    docker: aiodocker.Docker, spec: SandboxSpec, open_model: Open
) -> None:
    warm = await open_model()
    await loaded_at(warm)
    (container,) = await sandboxes(docker, spec)
    await docker.containers.container(container).kill()
    with pytest.raises(PlatformFault, match="ended before its job"):
        await warm.run(OK)
    assert warm.session.spent


async def test_the_answer_is_here_before_its_traces_are_gone(open_model: Open) -> None:
    warm = await open_model()
    for _ in range(3):
        ran = await warm.run("def run(i, o):\n    open(o + '/x', 'w').write('y')\n    return {'a': 1}", settle=False)
        assert ran.ended(None).files == {"x": b"y"}
        assert warm.session.spent  # until it is known to be well
        await warm.session.settled()
        await warm.session.settled()
        assert (warm.session.spent, warm.session.loaded) == (False, True)
