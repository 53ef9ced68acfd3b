"""Rescue: find workers that died and bring their jobs back, once nothing of their processes is left."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path
from random import random

from queuectl.engine.capture import Capture, Kept
from queuectl.engine.journal import event
from queuectl.engine.output import output_name, writer_of
from queuectl.model.errors import StoreInvalidError
from queuectl.model.job import Attempt, AttemptEnd, Job
from queuectl.model.states import JobState, Outcome
from queuectl.model.transition import Transition
from queuectl.model.worker import Worker
from queuectl.rules.transitions import after_attempt
from queuectl.store.store import Store

IsAlive = Callable[[int, str], bool]
"""(pid, mark) → whether that very process is there."""
KillLeftovers = Callable[[str, Sequence[tuple[int, str]]], int]
"""(worker id, its attempts' processes) → how many were killed. Returns when they are gone."""
OnEnd = Callable[[Job, AttemptEnd, Transition, int], None]
"""(a job, the end of its attempt, where that leads, now): called in the transaction that writes it."""
LeftBehind = Callable[[Attempt, int], AttemptEnd]
"""(an attempt whose worker died, its max_log) → its end, with the output that it left."""
ClearAway = Callable[[Callable[[], Collection[str]]], None]
"""(ids of the workers in use): remove the files that the slots of all others wrote to."""


class Rescuer:
    """Watches the other workers.

    A worker is dead when its process is gone (same host), or when its heartbeat counter stood still for the
    lease on the observer's own monotonic clock. Time in which the observer itself did not look (it was stopped, or
    the store was locked, for the others too) hardly counts: they get the time to beat again.

    The dead are first taken off the register, which shows that they are dead; only then are their processes killed
    and their jobs returned, by whoever comes first.
    """

    def __init__(
        self,
        store: Store,
        *,
        host: str,
        lease_ms: int,
        poll_ms: int,
        is_alive: IsAlive,
        kill_leftovers: KillLeftovers,
        left_behind: LeftBehind,
        clear_away: ClearAway,
        on_end: OnEnd = lambda *_: None,
    ) -> None:
        self._store = store
        self._host = host
        self._lease_ms = lease_ms
        self._longest_look_ms = max(poll_ms, lease_ms // 4)
        self._is_alive = is_alive
        self._kill_leftovers = kill_leftovers
        self._left_behind = left_behind
        self._clear_away = clear_away
        self._on_end = on_end
        self._silent: dict[str, tuple[int, int]] = {}
        """By worker: where its counter stands, and for how long it has been seen there."""
        self._looked_at: int | None = None
        self._to_clear = True
        """There may be files of workers that are gone: whoever buried them may have died over it."""

    def rescue(self, *, worker: str, now: int, mono: int) -> list[JobState]:
        """Rescue the jobs of a worker, other than `worker`, that died; return the state of each: pending, or dead.

        One worker at a time, as that may take seconds: call it again at once where it returned any.
        """
        others = [other for other in self._store.workers.list() if other.id != worker]
        self._watch(others, mono)
        dead = [other for other in others if self._is_dead(other)]
        for other in dead:
            if self._store.workers.declare_dead(other.id, beat=other.beat):
                event("worker dead", level=logging.WARNING, worker=other.id, host=other.host, pid=other.pid)
        gone = self._store.workers.abandoned()[:1]
        returned = [state for worker in gone for state in self._take_back(worker, now)]
        if dead or gone or self._to_clear:
            self._to_clear = True
            self._clear_away(self._in_use)
            self._to_clear = False
        return returned

    def _watch(self, others: Sequence[Worker], mono: int) -> None:
        watched = 0 if self._looked_at is None else min(mono - self._looked_at, self._longest_look_ms)
        self._looked_at = mono
        before = self._silent
        self._silent = {}
        for worker in others:
            beat, silent = before.get(worker.id, (None, 0))
            self._silent[worker.id] = worker.beat, silent + watched if beat == worker.beat else 0

    def _is_dead(self, worker: Worker) -> bool:
        if worker.host == self._host and not self._is_alive(worker.pid, worker.pid_mark):
            return True
        return self._silent[worker.id][1] > self._lease_ms

    def _in_use(self) -> Collection[str]:
        """Return the ids of the workers that are registered, or whose jobs are still to be returned."""
        registered = {worker.id for worker in self._store.workers.list()}
        return registered.union(self._store.workers.abandoned())

    def _take_back(self, worker: str, now: int) -> list[JobState]:
        self._kill(worker)
        with self._store.transaction():
            returned = self._return_jobs(worker, now)
        return _reported(returned)

    def _kill(self, worker: str) -> None:
        attempts = self._store.attempts.running_of_worker(worker)
        processes = [
            (attempt.pid, attempt.pid_mark) for attempt in attempts if attempt.pid and attempt.pid_mark
        ]
        killed = self._kill_leftovers(worker, processes)
        if killed:
            event("leftovers killed", worker=worker, processes=killed)

    def _return_jobs(self, worker: str, now: int) -> list[tuple[Job, JobState]]:
        returned = []
        for attempt in self._store.attempts.running_of_worker(worker):
            try:
                job = self._store.jobs.get(attempt.job_id)
            except StoreInvalidError:
                continue
            if job is None:
                continue
            end = self._left_behind(attempt, job.frozen.max_log_bytes or 0)
            transition = after_attempt(job, end, now=now, random=random())  # noqa: S311  # jitter
            if self._store.jobs.finish(job, end, transition, now=now):
                self._on_end(job, end, transition, now)
            returned.append((job, transition.state))
        for job_id in self._store.jobs.bury_all_of(worker, now=now):
            event("damaged", level=logging.ERROR, job=job_id, state=JobState.DEAD)
        return returned


def _reported(returned: Sequence[tuple[Job, JobState]]) -> list[JobState]:
    for job, state in returned:
        event("lost", level=logging.WARNING, job=job.id, spec=job.spec, attempt=job.attempt, state=state)
    return [state for _, state in returned]


def left_behind(log_dir: Path, attempt: Attempt, max_log_bytes: int) -> AttemptEnd:
    """Return the end of an attempt whose worker died, with the output that the attempt wrote until then."""
    error = None if attempt.pid else "its worker died as it started"
    kept = _kept(log_dir, attempt, max_log_bytes)
    return AttemptEnd(
        outcome=Outcome.LOST,
        error=error or kept.note,
        output=kept.output,
        output_bytes=kept.output_bytes,
        output_file=kept.output_file,
        truncated=kept.truncated,
    )


def clear_away(log_dir: Path, in_use: Callable[[], Collection[str]]) -> None:
    """Remove the files that the slots of dead workers wrote to, once nothing of them runs and their jobs are returned.

    Looks for them before it asks who is `in_use`: a worker is registered before it makes a file.
    """
    writers = {path: worker for path in _files(log_dir) if (worker := writer_of(path.name))}
    kept = in_use() if writers else ()
    for path, worker in writers.items():
        if worker not in kept:
            with suppress(OSError):
                path.unlink()


def _files(folder: Path) -> Sequence[Path]:
    try:
        return list(folder.iterdir())
    except OSError:  # not there yet, or out of reach
        return []


def _kept(log_dir: Path, attempt: Attempt, max_log_bytes: int) -> Kept:
    name = output_name(attempt.job_id, attempt.number)
    for found in (Path(attempt.output_file or name).name, name):  # renamed already, when it had just ended
        path = log_dir / found
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            return Capture(descriptor, path, max_log_bytes, now=0).finish(name)
        finally:
            os.close(descriptor)
    return Kept()
