"""Runs attempts as real processes: starts them, times them out, ends their trees, collects their output."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec

from queuectl.engine import tree
from queuectl.engine.capture import Capture, Outputs
from queuectl.engine.environment import Environment, environment, inherited, mark_variables, program_folder
from queuectl.engine.launch import CannotStartError, Ended, Key, Launch, Spawner, Started
from queuectl.engine.mark import ON_LINUX, mark_of, process_mark, read_stat
from queuectl.engine.output import output_name
from queuectl.engine.reap import ExitStatus, has_exited, reap
from queuectl.engine.said import read_said
from queuectl.engine.signals import stops_caught
from queuectl.engine.spawn import open_home, spawn
from queuectl.engine.tree import Tree
from queuectl.model.job import AttemptEnd, Said
from queuectl.model.states import Outcome
from queuectl.rules.transitions import CPU_TIME_LIMIT, KILLED_CODE
from queuectl.rules.units import format_duration, format_size

__all__ = ["Ended", "Key", "Launch", "Processes", "Spawner", "Started"]

DRAIN_MS = 500
"""What outlives the main process may end by itself for so long (a `tee` with a last line in it)."""
KILL_AGAIN_MS = LOOK_AGAIN_MS = 50
GIVE_UP_MS = 5_000
"""After SIGKILL, on processes that can't be killed: of another user, or stuck in the kernel."""

_STOPS = frozenset({"SIGINT", "SIGTERM", "SIGHUP"})
_SHELL_XCPU = 152
"""Exit code of a shell whose command was ended by SIGXCPU."""
_SHELL_CODES = {
    126: "exit code 126: the shell could not execute the command",
    127: "exit code 127: the shell did not find the command",
    137: "exit code 137: what the shell ran was killed from outside (out of memory?)",
}


class _Running(msgspec.Struct, kw_only=True):
    """One attempt that has not ended."""

    launch: Launch
    tree: Tree
    capture: Capture
    time_out_at: int | None
    stopped_at_start: bool
    """A stop signal came while it was started: if it went to the whole group, it hit the child, too."""
    why: Outcome | None = None
    """Why it is being stopped."""
    kill_at: int | None = None
    """When what then lives is killed (again)."""
    kill_again_ms: int = KILL_AGAIN_MS
    give_up_at: int | None = None
    look_at: int | None = None
    """When to see whether what outlived the main process is gone, where no signal tells."""
    exited: bool = False
    """The main process has ended; it stays a zombie to the last, so that its pid is nobody else's."""
    left_behind: set[int] = msgspec.field(default_factory=set)
    """Processes that outlived the main one and had to be killed."""
    unkillable: int = 0


class Processes:
    """A `Spawner` with real processes.

    `log_dir` takes the outputs. `own_process`: this is a worker with a process, and its one thread, to itself;
    it may change its working directory for a moment, adopts orphans and reaps them. False inside of a host
    program, whose other children are then left alone.
    """

    def __init__(self, log_dir: Path, own_process: bool) -> None:
        self._home = open_home() if own_process else None
        self._children = tree.adopt_orphans() if own_process else None
        """The open list of this process's children; None where it adopts no orphans."""
        self._outputs = Outputs(log_dir.absolute())
        self._environment = dict(os.environb)
        self._inherited: Environment = {}
        self._running: dict[Key, _Running] = {}
        self._over: dict[Key, Capture] = {}
        """What attempts wrote to that are over and not settled yet."""
        program_folder()  # found while the working directory is still that of the start

    def start(self, launch: Launch, now: int) -> Started | Ended:
        """Start an attempt; `Ended` with `spawn_failed` when it can't be started."""
        frozen = launch.frozen
        marks = mark_variables(launch.worker, launch.job_id, launch.attempt)
        self._inherited = self._inherited or inherited(self._environment, launch.db)
        try:
            own = environment(launch, marks, self._environment)
            capture = self._outputs.open(launch.output, frozen.max_log_bytes or 0, now)
            stops = stops_caught()
            try:
                pid = spawn(frozen, self._inherited | own, capture, home=self._home, stdin=launch.stdin)
            except CannotStartError:
                self._outputs.let_go(capture)
                raise
        except CannotStartError as error:
            end = AttemptEnd(
                outcome=Outcome.SPAWN_FAILED, error=str(error), out_of_resources=error.out_of_resources
            )
            return Ended(key=launch.key, end=end)
        self._running[launch.key] = _Running(
            launch=launch,
            tree=Tree(pid=pid, marks=marks),
            capture=capture,
            stopped_at_start=stops_caught() != stops,
            time_out_at=now + frozen.timeout_ms if isinstance(frozen.timeout_ms, int) else None,
        )
        return Started(key=launch.key, pid=pid)

    def stop(self, key: Key, why: Outcome, now: int) -> None:
        """Send SIGTERM to the whole tree, and SIGKILL `kill_after_ms` later. The first reason wins.

        An attempt whose command had already ended keeps its own outcome; an unknown key is no error.
        """
        one = self._running.get(key)
        if one is None or one.why is not None or self._has_exited(one):
            return
        one.why = why
        one.kill_at = now + (one.launch.frozen.kill_after_ms or 0)
        tree.send(signal.SIGTERM, one.tree, self._members(one, self._orphans()))

    def kill_all(self, why: Outcome) -> None:
        """Kill every process of every attempt at once; `tick` reports their ends."""
        orphans = self._orphans()
        for one in self._running.values():
            if one.why is None and not self._has_exited(one):
                one.why = why
            one.kill_at = 0
            tree.send(signal.SIGKILL, one.tree, self._members(one, orphans))

    def tick(self, now: int) -> list[Ended]:
        """Time out, kill, reap and collect whatever is due. Never blocks."""
        if not self._running:
            return []
        for key, one in self._running.items():
            if not self._has_exited(one) and one.time_out_at is not None and now >= one.time_out_at:
                self.stop(key, Outcome.TIMED_OUT, now)
        orphans = self._orphans()  # read after the main processes were seen dead: nothing left is missed
        over = [(key, one) for key, one in self._running.items() if self._is_over(one, orphans, now)]
        return [Ended(key=key, end=self._finish(one)) for key, one in over]

    def next_deadline(self) -> int | None:
        """When `tick` has something to do even if no child ends; None when nothing is planned."""
        return min((at for one in self._running.values() for at in _deadlines(one)), default=None)

    def running(self) -> list[Key]:
        """The attempts that have not ended."""
        return list(self._running)

    def settle(self, key: Key) -> None:
        """Let the file that an attempt wrote to be another's: its end is in the store."""
        if capture := self._over.pop(key, None):
            self._outputs.let_go(capture)

    def pid_mark(self, key: Key) -> str:
        """What tells the main process of an attempt that has not ended from a later one with the same pid."""
        pid = self._running[key].tree.pid
        stat = read_stat(pid) if ON_LINUX else None
        return mark_of(stat) if stat else process_mark(pid) or ""

    def close(self) -> None:
        """Remove what was needed only while attempts ran: call it when all that ended is in the store."""
        self._outputs.remove()
        for descriptor in (self._home, self._children):
            if descriptor is not None:
                os.close(descriptor)
        self._home = self._children = None

    def _orphans(self) -> list[int]:
        if self._children is None:
            return []
        return tree.adopted(self._children, {one.tree.pid for one in self._running.values()})

    def _members(self, one: _Running, orphans: list[int]) -> list[int]:
        if self._children is None:
            return tree.members_by_scan(one.tree)
        if one.exited and not orphans:  # its children became orphans when it exited
            return []
        others = [other.tree for other in self._running.values() if other is not one]
        return tree.members(one.tree, orphans, others)

    def _has_exited(self, one: _Running) -> bool:
        one.exited = one.exited or has_exited(one.tree.pid)
        return one.exited

    def _is_over(self, one: _Running, orphans: list[int], now: int) -> bool:
        """Do what is due for an attempt; True when nothing of it runs any more."""
        if not one.exited:
            one.capture.look(now)
            self._kill_if_due(one, orphans, now)
            return False
        members = self._members(one, orphans)
        if not members:
            return True
        if one.kill_at is None:
            one.kill_at = now + DRAIN_MS
        if one.give_up_at is not None and now >= one.give_up_at:
            one.unkillable = len(members)
            return True
        one.capture.look(now)
        one.look_at = now + LOOK_AGAIN_MS
        if self._kill_if_due(one, orphans, now):
            one.left_behind.update(members)
        return False

    def _kill_if_due(self, one: _Running, orphans: list[int], now: int) -> bool:
        if one.kill_at is None or now < one.kill_at:
            return False
        tree.send(signal.SIGKILL, one.tree, self._members(one, orphans))
        one.give_up_at = one.give_up_at or now + GIVE_UP_MS
        one.kill_at = now + one.kill_again_ms
        one.kill_again_ms = min(2 * one.kill_again_ms, GIVE_UP_MS)
        return True

    def _finish(self, one: _Running) -> AttemptEnd:
        del self._running[one.launch.key]
        kept = one.capture.finish(output_name(*one.launch.key))
        self._over[one.launch.key] = one.capture
        status = reap(one.tree.pid)
        if one.stopped_at_start and status.signal in _STOPS:
            one.why = one.why or Outcome.INTERRUPTED
        said = read_said(one.launch.said)
        return AttemptEnd(
            said=said,
            outcome=one.why or status.outcome,
            pid=one.tree.pid,
            exit_code=status.exit_code,
            signal=status.signal,
            error="; ".join(_notes(one, status, kept.note, said)) or None,
            output=kept.output,
            output_bytes=kept.output_bytes,
            output_file=kept.output_file,
            truncated=kept.truncated,
            cpu_ms=status.cpu_ms,
            max_rss_kib=status.max_rss_kib,
        )


def _notes(one: _Running, status: ExitStatus, output_note: str | None, said: Said | None) -> Iterator[str]:
    """What people should know of an end beyond its outcome."""
    if status.error is not None:
        yield status.error
    limits = one.launch.frozen.limits
    if limits.cpu_time_ms is not None and _used_up(limits.cpu_time_ms, one, status):
        yield f"{CPU_TIME_LIMIT} of {format_duration(limits.cpu_time_ms)} was reached"
    elif one.why is None and status.signal == "SIGKILL":
        yield "killed from outside (out of memory?)"
    elif status.exit_code in _SHELL_CODES and isinstance(one.launch.frozen.command, str):
        yield _SHELL_CODES[status.exit_code]
    if limits.memory_bytes is not None and status.outcome is not Outcome.SUCCEEDED and one.why is None:
        yield f"its memory limit is {format_size(limits.memory_bytes)}: it may have reached it"
    if one.unkillable:
        yield f"left {_processes(one.unkillable)} behind that could not be killed"
    elif one.left_behind and one.why is None:
        yield f"left {_processes(len(one.left_behind))} behind; killed"
    if output_note is not None:
        yield output_note
    if said is not None:
        yield from said.faults


def _used_up(cpu_time_ms: int, one: _Running, status: ExitStatus) -> bool:
    """Whether the processor time is what ended an attempt: its main process, or what its shell waited for.

    One that survives SIGXCPU is killed for good a little later.
    """
    if status.signal == "SIGXCPU" or status.exit_code == _SHELL_XCPU:
        return True
    killed = one.why is None and (status.signal == "SIGKILL" or status.exit_code == KILLED_CODE)
    return killed and (status.cpu_ms or 0) >= cpu_time_ms


def _processes(count: int) -> str:
    return "1 process" if count == 1 else f"{count} processes"


def _deadlines(one: _Running) -> Iterator[int]:
    yield one.capture.next_look
    if one.why is None and not one.exited and one.time_out_at is not None:
        yield one.time_out_at
    if one.kill_at is not None:
        yield one.kill_at
    if one.look_at is not None:
        yield one.look_at
