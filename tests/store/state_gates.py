"""Slots and rates in plain Python: who may go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from queuectl.model.job import Job
from queuectl.model.spec import Concurrency
from queuectl.model.states import BlockedBy, JobState, OnConflict

if TYPE_CHECKING:
    from tests.store.state_model import Model


class QueueRow(msgspec.Struct, kw_only=True):
    """A queue, and how much of it may start."""

    paused: bool = False
    running: int | None = None
    interval_us: int | None = None
    next_us: int | None = None

    def room(self, running: int, now: int) -> int:
        """How many may start when so many run."""
        room = 1000 if self.running is None else self.running - running
        if self.interval_us is None:
            return room
        if self.next_us is None:
            return min(room, 1)
        return min(room, 2, max(0, (now * 1000 - self.next_us) // self.interval_us + 1))


class GatesModel:
    """What waits at gates."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.rates: dict[str, int] = {}
        """By spec: when its next job may start, in µs."""

    def admit(self, now: int) -> set[int]:
        admitted: set[int] = set()
        for slot in sorted({slot for job in self._waiting() if (slot := slot_of(job))}):
            admitted |= self._admit_at(slot, now)
        for spec in sorted({job.spec for job in self._waiting() if job.spec and slot_of(job) is None}):
            for job in [job for job in self._waiting() if job.spec == spec and slot_of(job) is None][:2]:
                admitted |= {job.id} if self._starts(job, now) else set()
        return admitted

    def holders(self, slot: str) -> list[Job]:
        running = self.model.in_state(JobState.PENDING, JobState.PROCESSING)
        return sorted((job for job in running if slot_of(job) == slot), key=lambda job: job.id)

    def starts(self) -> list[int]:
        """When something may start that waits for its rate, in µs."""
        pending = self.model.in_state(JobState.PENDING)
        rated = {job.spec for job in self._waiting() if job.frozen.rate_us is not None}
        ready = {job.spec for job in pending}
        queues = {job.queue: self.model.queues[job.queue] for job in pending}.values()
        of_queues = [queue.next_us for queue in queues if queue.interval_us is not None and not queue.paused]
        return [next_us for spec, next_us in self.rates.items() if spec in rated - ready] + [
            next_us for next_us in of_queues if next_us is not None
        ]

    def started(self, job: Job, now: int) -> None:
        """An attempt starts: the next one is not earlier than this."""
        if job.frozen.rate_us is not None and job.spec in self.rates:
            self.rates[job.spec] = max(self.rates[job.spec], now * 1000)
        queue = self.model.queues[job.queue]
        if queue.interval_us is not None:
            queue.next_us = _later(queue.next_us, now, queue.interval_us)

    def _waiting(self) -> list[Job]:
        at_gate = [job for job in self.model.jobs.values() if job.blocked_by is BlockedBy.GATE]
        return sorted(at_gate, key=lambda job: (-job.priority, job.id))

    def _admit_at(self, slot: str, now: int) -> set[int]:
        first = self._replacing(slot, now)
        waiting = [job for job in self._waiting() if slot_of(job) == slot and job.id not in first]
        admitted: set[int] = set()
        for job in [*(self.model.jobs[one] for one in first), *waiting]:
            if len(self.holders(slot)) < _limit(job):
                admitted |= {job.id} if self._starts(job, now) else set()
            elif _concurrency(job).on_conflict is OnConflict.WAIT:
                break
        for job_id in sorted(job.id for job in waiting):
            job = self.model.jobs[job_id]
            impatient = job.blocked_by is BlockedBy.GATE and _concurrency(job).on_conflict is OnConflict.SKIP
            if impatient and len(self.holders(slot)) >= (limit := _limit(job)):
                taken = (
                    f"the slot '{slot}' is taken"
                    if limit == 1
                    else f"all {limit} slots of '{slot}' are taken"
                )
                self.model.cancel(job.id, f"skipped: {taken}", now)
        return admitted

    def _replacing(self, slot: str, now: int) -> list[int]:
        """Those that replace; as many of them and of those that have slots stay as there are slots, the latest."""
        waiting = [job for job in self._waiting() if slot_of(job) == slot]
        new = sorted(job.id for job in waiting if _concurrency(job).on_conflict is OnConflict.REPLACE)
        if not new:
            return []
        old = [job.id for job in self.holders(slot) if job.cancel_requested_at is None]
        for job_id in (old + new)[: -_limit(self.model.jobs[new[-1]])]:
            self.model.cancel(job_id, f"replaced by job {new[-1]}", now)
        return [one for one in new if self.model.jobs[one].blocked_by is BlockedBy.GATE]

    def _starts(self, job: Job, now: int) -> bool:
        interval, spec = job.frozen.rate_us, job.spec or ""
        if interval is not None:
            if any(other.spec == spec for other in self.model.in_state(JobState.PENDING)):
                return False
            if now * 1000 < self.rates.get(spec, 0):
                return False
            self.rates[spec] = _later(self.rates.get(spec), now, interval)
        self.model.set(job.id, now, state=JobState.PENDING, reason=None)
        return True


def slot_of(job: Job) -> str | None:
    """Whose slots a job needs one of."""
    concurrency = job.frozen.concurrency
    return None if concurrency is None else concurrency.key.replace("${T}", job.frozen.arguments.get("T", ""))


def is_gated(job: Job) -> bool:
    return job.frozen.concurrency is not None or job.frozen.rate_us is not None


def _concurrency(job: Job) -> Concurrency:
    assert job.frozen.concurrency is not None
    return job.frozen.concurrency


def _limit(job: Job) -> int:
    return _concurrency(job).limit


def _later(next_us: int | None, now: int, interval: int) -> int:
    """When the one after this may start: an interval later than this one could have, or is due at best."""
    if next_us is None:
        return now * 1000 + interval
    return max(next_us + interval, now * 1000)
