"""Who runs what: pid 1 keeps a uid of its own, model code has another and no capability (design, section 9)."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator

HARNESS_UID = 65531
MODEL_UID = 65532

_PR_SET_KEEPCAPS, _PR_SET_NO_NEW_PRIVS = 8, 38
_CAP_KILL, _CAP_SETGID, _CAP_SETUID = 5, 6, 7
_CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


def become_harness() -> None:
    """Leave uid 0 for a uid of our own, keeping only what starts and kills the model's processes.

    Changing the uid also makes this process undumpable: /proc/1/fd and /proc/1/mem are closed to everyone else.
    """
    _prctl(_PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(HARNESS_UID, HARNESS_UID, HARNESS_UID)
    os.setresuid(HARNESS_UID, HARNESS_UID, HARNESS_UID)
    _prctl(_PR_SET_KEEPCAPS, 0)
    _set_capabilities(1 << _CAP_KILL | 1 << _CAP_SETGID | 1 << _CAP_SETUID)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def become_model() -> None:
    """Give up everything; between two uids other than 0 the kernel keeps capabilities, so they are dropped by hand."""
    os.setgroups([])
    os.setresgid(MODEL_UID, MODEL_UID, MODEL_UID)
    os.setresuid(MODEL_UID, MODEL_UID, MODEL_UID)
    _set_capabilities(0)


@contextlib.contextmanager
def as_model() -> Iterator[None]:
    """Have the model's rights to files, for pid 1, which could not read what the model made unreadable.

    All else of it stays, so that no process may signal, trace or limit it. Whoever has the model's uid must be dead or
    held meanwhile all the same, since it could move files about.
    """
    _own_files_as(MODEL_UID)
    try:
        yield
    finally:
        _own_files_as(HARNESS_UID)


def _own_files_as(uid: int) -> None:
    """Go by this uid when it comes to files (setfsuid(2)); gVisor has the effective uid alone for that."""
    _libc.setfsuid(uid)
    if _libc.setfsuid(-1) != uid:
        os.setresuid(-1, uid, -1)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option})")


def _set_capabilities(mask: int) -> None:
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    # effective, permitted, inheritable; twice, for the low and the high 32 bits
    data = (ctypes.c_uint32 * 6)(mask, mask, 0, 0, 0, 0)
    if _libc.capset(header, data) != 0:
        raise OSError(ctypes.get_errno(), "capset")
