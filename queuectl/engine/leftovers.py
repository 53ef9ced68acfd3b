"""Kills what is left of the attempts of a worker that died."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from queuectl.engine.mark import is_alive, process_mark
from queuectl.engine.output import running_name

__all__ = ["is_alive", "kill_leftovers", "process_mark"]

WAIT_S = 5.0
"""For killed processes to be gone."""


def kill_leftovers(worker: str, processes: Iterable[tuple[int, str]]) -> int:
    """Kill every process of a dead worker's attempts, and give back how many there were.

    They are those that carry the worker's id in their environment or write to one of its files, the sessions of
    those `processes` (pid, mark) whose mark still matches, and the descendants of all these. Never this process and
    its ancestors; where it runs inside of such an attempt itself, not its children either. Waits until they are
    gone, 5 s at most. Processes of other users are out of reach, and so are those that have given up all three: the
    variables, the session and the output (`env -i setsid … >/dev/null`).
    """
    mains = {pid: mark for pid, mark in processes if process_mark(pid) == mark}
    killed: set[psutil.Process] = set()
    out_of_reach: set[psutil.Process] = set()
    until = time.monotonic() + WAIT_S
    while (found := _leftovers(worker, _still_theirs(mains)) - out_of_reach) and time.monotonic() < until:
        for process in found:
            try:
                process.kill()  # looks at the start time first: never a stranger with the same pid
                killed.add(process)
            except psutil.AccessDenied:
                out_of_reach.add(process)
            except psutil.NoSuchProcess:
                continue
        time.sleep(0.01)
    return len(killed)


def _leftovers(worker: str, mains: Collection[int]) -> set[psutil.Process]:
    """Those that still run, or did just now. Looks through all processes: some 20 ms for 300.

    Until there are no new ones: a process may fork and end between the list and the look, and its child is in no list.
    """
    children: dict[int, list[psutil.Process]] = {}
    ahead: list[psutil.Process] = []
    seen: set[int] = set()
    while new := set(psutil.pids()) - seen:
        seen |= new
        for pid in new:
            try:
                process = psutil.Process(pid)
                children.setdefault(process.ppid(), []).append(process)
                if _is_in(mains, pid) or _carries(process, worker) or _writes_for(pid, worker):
                    ahead.append(process)
            except psutil.NoSuchProcess:
                continue
    found: set[psutil.Process] = set()
    while ahead:
        process = ahead.pop()
        if process not in found:
            found.add(process)
            ahead += children.get(process.pid, [])
    return {process for process in found - _spared(found) if not _is_zombie(process)}


def _still_theirs(mains: Mapping[int, str]) -> set[int]:
    """Leave out whom the system has given the pid of one that was killed meanwhile. Sessions outlive their leader."""
    return {pid for pid, mark in mains.items() if process_mark(pid) in {mark, None}}


def _spared(found: Collection[psutil.Process]) -> set[psutil.Process]:
    me = psutil.Process()
    return {me, *me.parents(), *(me.children(recursive=True) if me in found else [])}


def _is_in(mains: Collection[int], pid: int) -> bool:
    try:
        return bool(mains) and (os.getsid(pid) in mains or os.getpgid(pid) in mains)
    except OSError:
        return False


def _carries(process: psutil.Process, worker: str) -> bool:
    try:
        return process.environ().get("QUEUECTL_WORKER") == worker
    except (psutil.Error, OSError):  # dead, or of another user
        return False


def _writes_for(pid: int, worker: str) -> bool:
    """Whether the output of a process goes to a file of the worker's (Linux)."""
    prefix = running_name(worker, 0).removesuffix("0.log")
    for number in (1, 2):
        with suppress(OSError):  # gone, closed, or of another user
            if Path(f"/proc/{pid}/fd/{number}").readlink().name.startswith(prefix):
                return True
    return False


def _is_zombie(process: psutil.Process) -> bool:
    """Whether it has ended and waits to be reaped. One that is gone may have forked before: look again."""
    try:
        return process.status() in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}
    except psutil.NoSuchProcess:
        return False
