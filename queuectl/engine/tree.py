"""Finds the processes of an attempt, also those that left its session or lost their parents.

On Linux a worker that is a process of its own adopts orphans (PR_SET_CHILD_SUBREAPER): whatever a job leaves
behind becomes the worker's child, so that one short read of its own children shows whether there is anything.
Elsewhere, and inside of a host program, all processes are looked through for the attempt's session and mark.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from collections.abc import Collection, Iterable
from pathlib import Path

import msgspec

from queuectl.engine.environment import Environment
from queuectl.engine.mark import ON_LINUX, process_mark, read_stat

_PR_SET_CHILD_SUBREAPER = 36


class Tree(msgspec.Struct, frozen=True, kw_only=True):
    """By what the processes of an attempt are known."""

    pid: int
    """Of the main process; also its session and process group. Nobody else's: it is not reaped yet."""
    marks: Environment
    """Variables that only processes of this attempt have."""

    @property
    def start(self) -> int:
        """When the main process started, in clock ticks since boot; 0 where that isn't known."""
        stat = read_stat(self.pid) if ON_LINUX else None
        return stat.start if stat else 0


def adopt_orphans() -> int | None:
    """Become the parent of whatever the jobs leave behind. None where the system can't do that.

    Returns the list of this process's children, open for `adopted`: there may be nothing left to open it with later.
    """
    if not ON_LINUX or not Path(f"/proc/self/task/{os.getpid()}/children").exists():
        return None
    if ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        return None
    return os.open("/proc/thread-self/children", os.O_RDONLY)


def adopted(listing: int, mains: Collection[int]) -> list[int]:
    """Orphans that this process has adopted and that still run; those that have died are reaped.

    `listing` is what `adopt_orphans` opened, `mains` are the attempts' own processes. Helpers that this process
    started in its own session are no orphans.
    """
    session = os.getsid(0)
    seen: set[int] = set()
    alive: list[int] = []
    # Once more where one had died: what it had forked before became ours after the list was read.
    while new := [pid for pid in _own_children(listing) if pid not in mains and pid not in seen]:
        seen.update(new)
        alive += [pid for pid in new if _session(pid) != session and not _reaped(pid)]
    return alive


def members(tree: Tree, orphans: Iterable[int], others: Collection[Tree]) -> list[int]:
    """Every living process of an attempt but the main one. `others` are the other attempts that run."""
    roots = [tree.pid, *(pid for pid in orphans if _belongs(pid, tree, others))]
    found = dict.fromkeys(pid for root in roots for pid in (root, *_descendants(root)))
    return [pid for pid in found if pid != tree.pid and process_mark(pid) is not None]


def members_by_scan(tree: Tree) -> list[int]:
    """The same where orphans are not adopted: looks through all processes."""
    import psutil  # noqa: PLC0415 (20 ms that a worker on Linux does without)

    found = {pid for pid in psutil.pids() if _session(pid) == tree.pid or _is_marked(pid, tree.marks)}
    with contextlib.suppress(psutil.Error):  # when the main process has ended
        found.update(child.pid for child in psutil.Process(tree.pid).children(recursive=True))
    return [pid for pid in found if pid != tree.pid and process_mark(pid) is not None]


def send(number: signal.Signals, tree: Tree, pids: Iterable[int]) -> None:
    """Signal the process group of an attempt, and those of `pids` that left the group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # on macOS for a group of zombies
        os.killpg(tree.pid, number)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getpgid(pid) != tree.pid and not in_exec(pid):  # which may be of another attempt
                os.kill(pid, number)


def _belongs(pid: int, tree: Tree, others: Collection[Tree]) -> bool:
    """Whether an orphan is of this attempt: by session, by mark, or because it can be of no other.

    One that has neither session nor mark (`env -i setsid …`) is of an attempt that ran when it started; it goes
    with the last of those. (The first process of a container adopts strangers too, and spares them.)
    """
    stat = read_stat(pid)
    if stat is None:
        return False
    every = (tree, *others)
    known = next((one for one in every if stat.session == one.pid), None)
    if known is None and in_exec(pid):  # it can't be told yet: whoever asks waits for it
        return True
    known = known or next((one for one in every if _is_marked(pid, one.marks)), None)
    if known is not None:
        return known is tree
    return os.getpid() != 1 and tree.start <= stat.start and all(one.start > stat.start for one in others)


def in_exec(pid: int) -> bool:
    """Whether a living process is becoming another program just now: it has neither arguments nor variables then."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb", buffering=0) as file:  # noqa: PTH123 (a third of the time)
            return not file.read(1)
    except OSError:
        return False


def _is_marked(pid: int, marks: Environment) -> bool:
    if not ON_LINUX:
        return False
    try:
        with open(f"/proc/{pid}/environ", "rb", buffering=0) as file:  # noqa: PTH123 (a third of the time)
            variables = file.read().split(b"\0")
    except OSError:  # gone, or of another user
        return False
    return all(b"%b=%b" % mark in variables for mark in marks.items())


def _own_children(listing: int) -> list[int]:
    """Children of this process, dead ones too (Linux). It has one thread."""
    found = b""
    while chunk := os.pread(listing, 65536, len(found)):
        found += chunk
    return [int(child) for child in found.split()]


def _children(pid: int) -> list[int]:
    """Children of a process, dead ones too (Linux)."""
    found = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208
            with open(f"/proc/{pid}/task/{thread}/children", "rb", buffering=0) as file:  # noqa: PTH123
                found += [int(child) for child in file.read().split()]
    except (FileNotFoundError, ProcessLookupError):  # gone meanwhile; its children are somebody else's now
        pass
    return found


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    ahead = [pid]
    while ahead:
        children = _children(ahead.pop())
        found += children
        ahead += children
    return found


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None


def _reaped(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True
