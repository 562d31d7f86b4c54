"""What model code cannot reach: pid 1, the network, the host, other jobs, privileges."""

from typing import Any

import pytest

from tests.hostile.conftest import Run, runtimes

pytestmark = pytest.mark.hostile

DENIED = {
    "read fds of pid 1": "os.listdir('/proc/1/fd')",
    "write to pid 1's stdout": "open('/proc/1/fd/1', 'wb')",
    "memory of pid 1": "open('/proc/1/mem', 'rb')",
    "environment of pid 1": "open('/proc/1/environ').read()",
    "root of pid 1": "os.listdir('/proc/1/root')",
    "signal pid 1": "os.kill(1, 9)",
    "stop pid 1": "os.kill(1, signal.SIGSTOP)",
    "ptrace pid 1": "call('ptrace', 16, 1, 0, 0)",
    "read memory of pid 1 by call": "call('process_vm_readv', 1, None, 0, None, 0, 0) or vm()",
    "limits of pid 1": "resource.prlimit(1, resource.RLIMIT_CPU, (1, 1))",
    "priority back": "os.nice(-1)",
    "become root": "os.setuid(0)",
    "become the harness": "os.setuid(65531)",
    "change groups": "os.setgroups([0])",
    "write the input": "open(i, 'wb')",
    "replace the input": "os.rename(i, i + '2')",
    "add beside the input": "open('/workspace/in/x', 'w')",
    "write the code": "open('/app/predict.py', 'w')",
    "write the root": "open('/root.txt', 'w')",
    "write etc": "open('/etc/x', 'w')",
    "write cgroups": "open('/sys/fs/cgroup/memory/memory.limit_in_bytes', 'w')",
    "write kernel settings": "open('/proc/sys/kernel/hostname', 'w')",
    "mount": "call('mount', b'none', b'/tmp', b'tmpfs', 0, None)",
    "new namespaces": "call('unshare', 0x10000000)",
    "make a device": "os.mknod('/tmp/zero', 0o600 | 0o020000, os.makedev(1, 5))",
    "link the input out": "os.link(i, o + '/x')",
    "resolve a name": "socket.getaddrinfo('example.com', 80)",
    "connect": "socket.create_connection(('192.0.2.1', 80), 2)",
    "host of the bridge": "socket.create_connection(('172.17.0.1', 5001), 2)",
    "raw socket": "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
    "raise the file limit": "resource.setrlimit(resource.RLIMIT_NOFILE, (10**6, 10**6))",
    "engine socket": "socket.socket(socket.AF_UNIX).connect('/var/run/docker.sock')",
}

GVISOR_ALLOWS = {
    "read fds of pid 1",  # their numbers; to open one is refused, as the attempts beside it show
    "environment of pid 1",  # nothing of ours is in it
    "priority back",
    # objects of gVisor's own kernel, which has no network and no devices of the host
    "new namespaces",
    "make a device",
    "raw socket",
}


@pytest.mark.parametrize("runtime", runtimes())
async def test_nothing_is_reached(run: Run, runtime: str) -> None:
    """All in one sandbox: each attempt must fail with an error, and the job must still succeed."""
    code = f"""
    import ctypes, os, resource, signal, socket
    libc = ctypes.CDLL(None, use_errno=True)
    def call(name, *args):
        if getattr(libc, name)(*args) == -1:
            raise OSError(ctypes.get_errno(), name)
        return 0
    def vm():
        class Vec(ctypes.Structure):
            _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]
        buffer = ctypes.create_string_buffer(8)
        here, there = Vec(ctypes.addressof(buffer), 8), Vec(0x400000, 8)
        call("process_vm_readv", 1, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
    def run(i, o):
        reached = []
        for name, attempt in {DENIED!r}.items():
            try:
                eval(attempt, globals(), locals())
                reached.append(name)
            except (OSError, ValueError):
                pass
        return {{"reached": reached}}
    """
    ran = (await run(code, timeout_s=15.0, runtime=runtime)).ended(None)
    assert ran.outcome.result
    assert set(ran.outcome.result["reached"]) <= (GVISOR_ALLOWS if runtime else set())


@pytest.mark.parametrize("runtime", runtimes())
async def test_identity_and_surroundings(run: Run, runtime: str) -> None:
    code = """
    import os, sys
    def run(i, o):
        status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
        one = dict(line.split(":\\t", 1) for line in open("/proc/1/status").read().splitlines() if ":\\t" in line)
        return {
            "uids": [os.getresuid(), os.getresgid(), os.getgroups()], "cwd": os.getcwd(), "argv": sys.argv,
            "caps": [status["CapInh"], status["CapPrm"], status["CapEff"]], "nnp": status.get("NoNewPrivs"),
            "pid1": one["Uid"].split(), "fds": sorted(int(fd) for fd in os.listdir("/proc/self/fd"))[:6],
            "environment": sorted(os.environ), "interfaces": os.listdir("/sys/class/net"),
        }
    """
    result: Any = (await run(code, runtime=runtime)).ended(None).outcome.result
    assert result["uids"] == [[65532] * 3, [65532] * 3, []]
    assert {int(mask, 16) for mask in result["caps"]} == {0}
    assert result["pid1"] == ["65531"] * 4
    assert result["nnp"] in ("1", None)
    assert (result["cwd"], result["argv"]) == ("/app", ["/app/predict.py"])
    assert not any("CLINAI" in name or "TOKEN" in name for name in result["environment"])
    if not runtime:
        assert result["fds"] == [0, 1, 2, 3, 4, 5]  # the fifth is the listing itself
        assert result["interfaces"] == ["lo"]


async def test_pid_1_keeps_only_what_it_needs(run: Run) -> None:
    code = """
    def run(i, o):
        lines = open("/proc/1/status").read().splitlines()
        return {line.split(":")[0]: line.split()[1] for line in lines if line.startswith(("Cap", "NoNew"))}
    """
    result: Any = (await run(code)).outcome.result
    kill_setgid_setuid = 1 << 5 | 1 << 6 | 1 << 7
    assert int(result["CapEff"], 16) == int(result["CapPrm"], 16) == kill_setgid_setuid
    assert int(result["CapInh"], 16) == int(result["CapAmb"], 16) == 0
    assert result["NoNewPrivs"] == "1"


async def test_swarm_of_daemons_is_dead_before_outputs_are_taken(run: Run) -> None:
    """Processes that fork on and on, in sessions of their own, changing an output all the time."""
    code = """
    import os, signal
    def run(i, o):
        read, write = os.pipe()
        for _ in range(8):
            if os.fork() == 0:
                os.setsid()
                signal.signal(signal.SIGCHLD, signal.SIG_IGN)
                while True:
                    try:
                        if os.fork():
                            os._exit(0)
                    except OSError:
                        continue
                    os.setsid()
                    try:
                        os.symlink("/etc/passwd", o + "/mask.png.new")
                        os.unlink(o + "/mask.png.new")
                    except OSError:
                        pass
                    os.write(write, b".")
        os.read(read, 64)
        with open(o + "/mask.png", "wb") as file:
            file.write(b"mask")
        return {"a": 1}
    """
    ran = await run(code, processes=64)
    # a swarm member may have been killed between its two calls; the link is then named, never followed
    if ran.outcome.code is None:
        assert ran.files == {"mask.png": b"mask"}
    else:
        ran.ended("OUTPUT_TYPE_FORBIDDEN", "mask.png.new")
