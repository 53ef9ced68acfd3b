"""How a child process ended."""

from __future__ import annotations

import os
import resource
import signal
import sys

import msgspec

from queuectl.engine.mark import process_mark
from queuectl.model.states import Outcome


class ExitStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How a main process ended by itself."""

    outcome: Outcome
    exit_code: int | None = None
    signal: str | None = None
    error: str | None = None
    cpu_ms: int | None = None
    max_rss_kib: int | None = None


def has_exited(pid: int) -> bool:
    """Whether a child has ended, without reaping it."""
    if hasattr(os, "waitid"):
        try:
            return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:  # somebody else has reaped it
            return True
    return process_mark(pid) is None  # macOS before Python 3.13


def reap(pid: int) -> ExitStatus:
    """Take the exit status of a child that has ended."""
    try:
        _, status, usage = os.wait4(pid, 0)
    except ChildProcessError:
        error = "another part of the worker's process took its exit status"
        return ExitStatus(outcome=Outcome.FAILED, error=error)
    code = os.waitstatus_to_exitcode(status)
    outcome = Outcome.SUCCEEDED if code == 0 else Outcome.FAILED if code > 0 else Outcome.SIGNALLED
    return ExitStatus(
        outcome=outcome,
        exit_code=code if code >= 0 else None,
        signal=_signal_name(-code) if code < 0 else None,
        cpu_ms=round((usage.ru_utime + usage.ru_stime) * 1000),
        max_rss_kib=_own_memory(usage),
    )


def _own_memory(usage: resource.struct_rusage) -> int | None:
    """Peak memory of a command; None when it is below the worker's, which it was started with."""
    if usage.ru_maxrss <= resource.getrusage(resource.RUSAGE_SELF).ru_maxrss:
        return None
    return usage.ru_maxrss // 1024 if sys.platform == "darwin" else usage.ru_maxrss


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
