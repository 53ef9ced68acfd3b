"""Rescue: find workers that died and bring their jobs back, once nothing of their processes is left."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from random import random

from queuectl.engine.capture import Capture
from queuectl.engine.journal import event
from queuectl.engine.output import output_name
from queuectl.model.job import Attempt, AttemptEnd, Job
from queuectl.model.states import JobState, Outcome
from queuectl.model.worker import Worker
from queuectl.rules.transitions import after_attempt
from queuectl.store.store import Store

IsAlive = Callable[[int, str], bool]
"""(pid, mark) → whether that very process is there."""
KillLeftovers = Callable[[str, Sequence[tuple[int, str]]], int]
"""(worker id, its attempts' processes) → how many were killed. Returns when they are gone."""
LeftBehind = Callable[[Attempt, int], AttemptEnd]
"""(an attempt whose worker died, its max_log) → its end, with the output that it left."""


class Rescuer:
    """Watches the other workers.

    A worker is dead when its process is gone (same host), or when its heartbeat counter stood still for the
    lease on the observer's own monotonic clock.
    """

    def __init__(
        self,
        store: Store,
        *,
        worker: str,
        host: str,
        lease_ms: int,
        is_alive: IsAlive,
        kill_leftovers: KillLeftovers,
        left_behind: LeftBehind,
    ) -> None:
        self._store = store
        self._worker = worker
        self._host = host
        self._lease_ms = lease_ms
        self._is_alive = is_alive
        self._kill_leftovers = kill_leftovers
        self._left_behind = left_behind
        self._seen: dict[str, tuple[int, int]] = {}

    def rescue(self, *, now: int, mono: int) -> list[JobState]:
        """Rescue the jobs of every worker that died. Returns the state that each went to: pending, or dead."""
        others = [worker for worker in self._store.workers.list() if worker.id != self._worker]
        dead = [worker for worker in others if self._is_dead(worker, mono)]
        self._seen = {worker.id: self._seen[worker.id] for worker in others}
        rescued = [state for worker in dead for state in self._bury(worker, now)]
        return rescued + [
            state for worker in self._store.workers.abandoned() for state in self._take_back(worker, now)
        ]

    def _is_dead(self, worker: Worker, mono: int) -> bool:
        beat, since = self._seen.get(worker.id, (worker.beat, mono))
        if beat != worker.beat:
            since = mono
        self._seen[worker.id] = (worker.beat, since)
        if worker.host == self._host and not self._is_alive(worker.pid, worker.pid_mark):
            return True
        return mono - since > self._lease_ms

    def _bury(self, worker: Worker, now: int) -> list[JobState]:
        if worker.host == self._host:
            self._kill(worker.id)
        with self._store.transaction():
            if not self._store.workers.declare_dead(worker.id, beat=worker.beat):
                return []  # it moved after all, or somebody else was quicker
            returned = self._return_jobs(worker.id, now)
        event("worker dead", level=logging.WARNING, worker=worker.id, host=worker.host, pid=worker.pid)
        return _reported(returned)

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
            job = self._store.jobs.get(attempt.job_id)
            if job is None:
                continue
            end = self._left_behind(attempt, job.frozen.max_log_bytes or 0)
            transition = after_attempt(job, end, now=now, random=random())  # noqa: S311  # jitter
            self._store.jobs.finish(job, end, transition, now=now)
            returned.append((job, transition.state))
        return returned


def _reported(returned: Sequence[tuple[Job, JobState]]) -> list[JobState]:
    for job, state in returned:
        event("lost", level=logging.WARNING, job=job.id, spec=job.spec, attempt=job.attempt, now=state)
    return [state for _, state in returned]


def left_behind(log_dir: Path, attempt: Attempt, max_log_bytes: int) -> AttemptEnd:
    """Return the end of an attempt whose worker died, with the output that the attempt wrote until then."""
    error = None if attempt.pid else "its worker died before it started"
    path = log_dir / output_name(attempt.job_id, attempt.number)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return AttemptEnd(outcome=Outcome.LOST, error=error)
    kept = Capture(descriptor, path, max_log_bytes, now=0).finish()
    return AttemptEnd(
        outcome=Outcome.LOST,
        error=error or kept.note,
        output=kept.output,
        output_bytes=kept.output_bytes,
        output_file=kept.output_file,
        truncated=kept.truncated,
    )
