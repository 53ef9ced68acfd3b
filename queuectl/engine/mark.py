"""Tells a process from a later one that was given the same pid."""

from __future__ import annotations

import functools
import sys
from pathlib import Path

import msgspec

ON_LINUX: bool = sys.platform == "linux"


class Stat(msgspec.Struct, frozen=True):
    """What Linux says of a process. `start` is in clock ticks since boot."""

    state: str
    parent: int
    group: int
    session: int
    start: int

    @property
    def dead(self) -> bool:
        """Nothing of it runs: a zombie waits to be reaped."""
        return self.state in "ZX"


def process_mark(pid: int) -> str | None:
    """Mark of the process that has this pid now; None when there is none, or it is dead.

    On Linux the boot, the pid namespace and the start time; elsewhere the start time.
    """
    if not ON_LINUX:
        return _created(pid)
    stat = read_stat(pid)
    return None if stat is None or stat.dead else mark_of(stat)


def mark_of(stat: Stat) -> str:
    """Mark of the process, dead or alive, that `read_stat` told this of (Linux)."""
    return f"{_pid_space()}:{stat.start}"


def is_alive(pid: int, mark: str) -> bool:
    """Whether the process that was given this mark still runs.

    A process of another container on this host can't be seen from here and is held for alive: its lease decides.
    """
    if ON_LINUX:
        boot, space, _ = (mark + "::").split(":", 2)
        here_boot, here_space = _pid_space().split(":")
        if boot == here_boot and space != here_space:
            return True
    return process_mark(pid) == mark


def read_stat(pid: int) -> Stat | None:
    """Read `/proc/PID/stat`; None when there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:  # noqa: PTH123 (a third of the time of Path)
            text = file.read()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text[text.rindex(b")") + 2 :].split()  # the name may hold spaces and parentheses
    return Stat(fields[0].decode(), int(fields[1]), int(fields[2]), int(fields[3]), int(fields[19]))


@functools.cache
def _pid_space() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}:{Path('/proc/self/ns/pid').readlink().name.strip('pid:[]')}"


def _created(pid: int) -> str | None:
    import psutil  # noqa: PLC0415 (20 ms, and Linux does without)

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else str(process.create_time())
    except psutil.Error:
        return None
