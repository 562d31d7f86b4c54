"""Judges how a job ended: from evidence to a code and a message that says what to do (design, section 11)."""

import signal
from typing import Any

import msgspec

from shared.codes import JobCode
from shared.sandbox.spec import SandboxSpec

MIB = 1024**2


class Fault(msgspec.Struct, frozen=True):
    """What the model's process said of its end; the model may have forged any of it."""

    kind: str = "raised"
    phase: str = "run"
    text: str = ""
    type: str = "Exception"
    where: str = ""
    memory: bool = False
    disk: bool = False
    fork: bool = False
    full: list[str] = []


class Evidence(msgspec.Struct, frozen=True):
    """What pid 1 saw and what the kernel counted."""

    returned: bool
    late: bool
    phase: str
    load_ms: float
    run_ms: float
    fault: Any = None
    exit: int | None = None
    oom: int = 0
    pids: int = 0
    peak: int = 0
    full: list[str] = []


Verdict = tuple[JobCode | None, str]

_REPORTED = {
    "not_dict": JobCode.RESULT_NOT_DICT,
    "not_json": JobCode.RESULT_NOT_JSON,
    "too_large": JobCode.RESULT_TOO_LARGE,
}


def judge(seen: Evidence, spec: SandboxSpec) -> Verdict:
    """Return the code and message of an end, or `(None, "")` when the model returned a result.

    What ran out explains the rest, so the kernel's counters come before exceptions, exit status and deadline.
    """
    if seen.returned:
        return None, ""
    fault = _fault(seen.fault)
    if fault is not None and fault.kind in _REPORTED:
        return _REPORTED[fault.kind], fault.text
    also = _aftermath(seen, fault, spec)
    if seen.oom > 0 or (fault is not None and fault.memory):
        return JobCode.OUT_OF_MEMORY, out_of_memory(spec, also)
    if seen.pids > 0 or (spec.runtime and fault is not None and fault.fork):
        return JobCode.PROCESS_LIMIT, (
            f"the model started more than {spec.processes} processes and threads at once; use fewer workers{also}"
        )
    if seen.late:
        return JobCode.TIMEOUT, _timeout(seen, spec)
    full = sorted({*seen.full, *(fault.full if fault is not None else ())})
    ended_well = seen.exit == 0 or (fault is not None and fault.kind == "exit")
    if (fault is not None and fault.disk) or seen.exit == -signal.SIGXFSZ or (full and not ended_well):
        return JobCode.DISK_LIMIT, _disk(spec, full, also)
    if fault is not None and fault.kind == "raised":
        place = f"{fault.where}: " if fault.where else ""
        return JobCode.MODEL_ERROR, (
            f"{place}{fault.type}: {fault.text}{_while(fault.phase)}; the log has the traceback: "
            "mend the model and upload a new version"
        )
    if seen.exit is not None and seen.exit < 0:
        return JobCode.CRASHED, _crashed(-seen.exit)
    how = "called sys.exit()" if fault is not None else f"ended with exit status {seen.exit}"
    where = f" in {fault.where}" if fault is not None and fault.where else ""
    return (
        JobCode.NO_RESULT,
        f"the model's process {how}{where} before run() returned; return a dict from run() instead",
    )


def wedged(spec: SandboxSpec) -> str:
    """The message of TIMEOUT when pid 1 itself did not answer: the model starved or blocked the whole container."""
    return (
        f"the model did not finish within {spec.timeout_s:g} s and its sandbox did not answer any more; "
        "make it faster, or ask for a higher timeout in clinai.toml"
    )


def out_of_memory(spec: SandboxSpec, also: str = "") -> str:
    """The message of OUT_OF_MEMORY."""
    return (
        f"the model needed more than its memory limit of {_size(spec.memory_bytes)}; use a smaller model or input, "
        f"or ask for more memory in clinai.toml{also}"
    )


MEDDLED = (
    "the loaded model would not stand still while its files were looked at; "
    "predict.py must use no timer that sends SIGCONT"
)


def _fault(raw: Any) -> Fault | None:
    if raw is None:
        return None
    try:
        return msgspec.convert(raw, Fault)
    except msgspec.ValidationError:
        return Fault(text="the model's process reported nonsense")


def _aftermath(seen: Evidence, fault: Fault | None, spec: SandboxSpec) -> str:
    """What was seen of the model after something ran out."""
    if seen.late:
        return f" (afterwards it did not finish within {spec.timeout_s:g} s)"
    if fault is not None and fault.kind == "raised":
        place = f"{fault.where}: " if fault.where else ""
        return f" ({place}{fault.type}: {fault.text})"
    return ""


def _timeout(seen: Evidence, spec: SandboxSpec) -> str:
    load_s = seen.load_ms / 1000
    doing = f"loading took {load_s:.1f} s of it" if seen.phase == "run" else "it was still loading"
    return (
        f"the model did not finish within {spec.timeout_s:g} s ({doing}); "
        "make it faster, or ask for a higher timeout in clinai.toml"
    )


def _disk(spec: SandboxSpec, full: list[str], also: str) -> str:
    rooms = (
        f"/workspace/out holds {_size(spec.output_bytes)} and {spec.output_files} files, /tmp {_size(spec.tmp_bytes)}"
    )
    what = f"the model filled {' and '.join(full)}" if full else "the model wrote more than its disk limit"
    return f"{what}: {rooms}; write less, or remove temporary files{also}"


def _while(phase: str) -> str:
    return {"load": " (while predict.py was imported)", "setup": " (in setup())"}.get(phase, "")


def _crashed(number: int) -> str:
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    if number == signal.SIGKILL:
        return f"the model's process was killed by {name} from inside the sandbox; do not kill it before run() returns"
    return (
        f"the model's process was killed by {name}: a fault in native code, or a library that does not fit; "
        "try other versions in requirements.txt"
    )


def _size(size: int) -> str:
    return f"{size / MIB:g} MiB" if size % MIB == 0 else f"{size} bytes"
