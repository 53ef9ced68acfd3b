"""The queue in plain Python: what each verb of the `Store` has to do, without SQL, indexes or triggers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from queuectl.model.fire import Fire
from queuectl.model.job import AttemptEnd, Job, NewJob
from queuectl.model.spec import JobSpec, Keep
from queuectl.model.states import FINAL, WAITING, BlockedBy, FireOutcome, JobState, Outcome
from queuectl.model.transition import Transition
from queuectl.store.jobs import as_made
from tests.store.state_flows import FlowsModel
from tests.store.state_gates import GatesModel, QueueRow, is_gated, slot_of

LOSSES_IN_QUARANTINE = 2
STARTABLE = frozenset({JobState.SCHEDULED, JobState.PENDING, JobState.PROCESSING, JobState.FAILED})
"""What a blocked job of the same spec waits for."""
EXPIRED = "expired: could not start within its spec's start_within"


class SpecRow(msgspec.Struct, frozen=True, kw_only=True):
    """A spec and its schedule."""

    version: int
    next_due_at: int | None
    last_fire_at: int | None = None
    paused: bool = False
    pruned: bool = False
    orphaned: bool = False
    done: tuple[str | None, int | None] = (None, None)


class WorkerRow(msgspec.Struct, frozen=True, kw_only=True):
    """A registered worker."""

    beat: int = 0
    paused: bool = False
    stop: str | None = None


class Model:
    """All that the queue knows. Verbs are named as those of the store, and return the same."""

    def __init__(self) -> None:
        self.jobs: dict[int, Job] = {}
        self.kept: dict[int, tuple[int, int | None]] = {}
        """By job: whether its own spec says how long it is kept, and until when."""
        self.attempts: dict[tuple[int, int], tuple[str, Outcome | None]] = {}
        self.workers: dict[str, WorkerRow] = {}
        self.inputs: dict[int, str] = {}
        self.queues: dict[str, QueueRow] = {}
        """Known ones."""
        self.flows = FlowsModel(self)
        self.gates = GatesModel(self)
        self.specs: dict[str, SpecRow] = {}
        self.fires: dict[tuple[str, int], Fire] = {}

    # Jobs

    def is_new(self, new: NewJob) -> bool:
        return new.key is None or all(job.key != new.key for job in self.jobs.values())

    def made(self, new: NewJob, job_id: int, now: int) -> None:
        assert all(known < job_id for known in self.jobs), "ids rise"
        self.jobs[job_id] = as_made(new, job_id, now)
        self.kept[job_id] = 0, None
        self.queues.setdefault(new.frozen.queue, QueueRow())

    def in_state(self, *states: JobState) -> list[Job]:
        return [job for job in self.jobs.values() if job.state in states]

    def of_spec(self, spec: str, states: Collection[JobState]) -> list[Job]:
        return [job for job in self.jobs.values() if job.spec == spec and job.state in states]

    def claim(self, worker: str, queues: Sequence[str], limit: int, *, idle: bool, now: int) -> list[int]:
        ready = [job for job in self.in_state(JobState.PENDING) if not queues or job.queue in queues]
        ready.sort(key=lambda job: (-job.priority, job.id))
        sound = [job for job in ready if job.losses < LOSSES_IN_QUARANTINE]
        first = self._startable(ready if idle else sound, now)[:limit]
        alone = bool(first) and first[0].losses >= LOSSES_IN_QUARANTINE
        claimed = first[:1] if alone else self._startable(sound, now)[:limit]
        for job in claimed:
            self.set(job.id, now, state=JobState.PROCESSING, worker=worker, attempt=job.attempt + 1, reason=None,
                     cancel_requested_at=None)  # fmt: skip
            self.attempts[job.id, job.attempt + 1] = worker, None
            self.gates.started(job, now)
        return [job.id for job in claimed]

    def finish(self, held: Job, end: AttemptEnd, transition: Transition, now: int) -> bool:
        job = self.jobs.get(held.id)
        if job is None or job.state is not JobState.PROCESSING:
            return False
        if (job.worker, job.attempt) != (held.worker, held.attempt):
            return False
        if job.cancel_requested_at != held.cancel_requested_at:
            return False
        run_at = job.run_at if transition.run_at is None else transition.run_at
        back = self.ready(job) if transition.state is JobState.PENDING else {}
        self.set(job.id, now, **{"state": transition.state} | back, run_at=run_at, failures=transition.failures,
                 losses=transition.losses, reason=transition.reason, exit_code=end.exit_code,
                 cancel_requested_at=None, said=end.said or job.said)  # fmt: skip
        self.attempts[job.id, job.attempt] = held.worker or "", end.outcome
        return True

    def promote(self, now: int) -> set[int]:
        due = {job.id for job in self.in_state(JobState.SCHEDULED, JobState.FAILED) if job.run_at <= now}
        for job_id in due:
            self.set(job_id, now, **self.ready(self.jobs[job_id]))
        firsts: dict[str, Job] = {}
        for job in self.jobs.values():
            if job.blocked_by is BlockedBy.SPEC and job.spec:
                firsts.setdefault(job.spec, job)
        free = [first for first in firsts.values() if not self._goes_on_before(first)]
        for first in free:
            self.let_go(first.id, now)
        return due | {first.id for first in free}

    def let_go(self, job_id: int, now: int) -> None:
        """What it was blocked by is over."""
        job = self.jobs[job_id]
        to = {"state": JobState.SCHEDULED} if job.run_at > now else self.ready(job)
        self.set(job_id, now, **to, reason=None)

    def ready(self, job: Job) -> dict[str, Any]:
        """Where a job goes that is ready: to its gate, if it has one."""
        if is_gated(job):
            return {"state": JobState.BLOCKED, "blocked_by": BlockedBy.GATE}
        return {"state": JobState.PENDING}

    def bring_back(self, now: int) -> int:
        waiting = self.in_state(JobState.BLOCKED, JobState.SCHEDULED, JobState.FAILED)
        ahead = [job for job in waiting if min(job.run_at, job.updated_at) > now]
        for job in ahead:
            self.set(job.id, now, run_at=now + max(0, job.run_at - job.updated_at))
        return len(ahead)

    def expire(self, now: int) -> set[int]:
        late = {job.id for job in self._expiring() if job.expires_at is not None and job.expires_at < now}
        for job_id in sorted(late):
            self.set(job_id, now, state=JobState.CANCELLED, reason=EXPIRED)
            for instant, fire in self.fires.items():
                if fire.job_id == job_id:
                    self.fires[instant] = replace(fire, outcome=FireOutcome.EXPIRED, reason=EXPIRED)
        return late

    def cancel(self, job_id: int, reason: str, now: int) -> bool:
        job = self.jobs.get(job_id)
        if job is None or job.state in FINAL:
            return False
        if job.state in WAITING:
            self.set(job_id, now, state=JobState.CANCELLED, reason=reason)
        else:
            self.set(job_id, now, cancel_requested_at=now, reason=reason)
        return True

    def retry(self, job_id: int, frozen: JobSpec, version: int | None, now: int) -> bool:
        job = self.jobs.get(job_id)
        if job is None or job.state not in {JobState.DEAD, JobState.CANCELLED}:
            return False
        self.set(job_id, now, **self.ready(replace(job, frozen=frozen)), frozen=frozen, spec_version=version,
                 run_at=now, expires_at=None, failures=0, losses=0, reason=None, exit_code=None,
                 cancel_requested_at=None)  # fmt: skip
        self.flows.retried(job_id, now)
        return True

    def hurry(self, job_id: int, now: int) -> bool:
        job = self.jobs.get(job_id)
        if job is None or job.state is not JobState.FAILED:
            return False
        self.set(job_id, now, **self.ready(job), run_at=now)
        return True

    def refreeze(
        self, job_id: int, frozen: JobSpec, version: int | None, run_at: int | None, now: int
    ) -> bool:
        job = self.jobs.get(job_id)
        if job is None or job.state not in WAITING:
            return False
        to: dict[str, Any] = {}
        is_ready = job.state is JobState.PENDING or job.blocked_by is BlockedBy.GATE
        if is_ready or (job.state is JobState.SCHEDULED and run_at is not None):
            due = run_at is None or run_at <= now
            to = self.ready(replace(job, frozen=frozen)) if due else {"state": JobState.SCHEDULED}
        run_at = job.run_at if run_at is None else run_at
        self.set(job_id, now, **to, frozen=frozen, spec_version=version, run_at=run_at)
        return True

    def join_flow(self, job_ids: Iterable[int], flow: int) -> None:
        """Where they are in none."""
        for job in [self.jobs[job_id] for job_id in job_ids]:
            self.jobs[job.id] = replace(job, flow=flow if job.flow is None else job.flow)

    def in_the_way_of(self, spec: str) -> list[int]:
        """What a new job of a spec has to look at: the open ones, and the flow of the latest while it goes on."""
        of_spec = self.of_spec(spec, set(JobState))
        flow = of_spec[-1].flow if of_spec else None
        in_flow = [job for job in self.jobs.values() if flow is not None and job.flow == flow]
        if not any(map(_goes_on, in_flow)):
            in_flow = []
        found = {job.id: job for job in [*of_spec, *in_flow] if job.state not in FINAL}
        return sorted(found, key=lambda one: (found[one].blocked_by is not BlockedBy.NEEDS, one))

    def waiting_in(self, queue: str) -> list[int]:
        return sorted(job.id for job in self.in_state(*WAITING) if job.queue == queue)

    def busy(self, queues: Sequence[str]) -> bool:
        served = [job for job in self.jobs.values() if not queues or job.queue in queues]
        return any(
            job.state is JobState.PROCESSING
            or (job.state in {JobState.PENDING, JobState.FAILED} and not self.queues[job.queue].paused)
            or (self._waits_for_its_rate(job) and not self.queues[job.queue].paused)
            for job in served
        )

    def next_deadline(self, tried: int | None = None) -> int | None:
        waiting = [job.run_at for job in self.in_state(JobState.SCHEDULED, JobState.FAILED)]
        expiring = [job.expires_at + 1 for job in self._expiring() if job.expires_at is not None]
        firing = [
            spec.next_due_at
            for spec in self.specs.values()
            if not spec.pruned and spec.next_due_at is not None
        ]
        starts = [
            -(-next_us // 1000) for next_us in self.gates.starts() if tried is None or next_us > tried * 1000
        ]
        return min([*waiting, *expiring, *firing, *starts], default=None)

    # History

    def finished(self, states: Collection[JobState], before: int, queue: str | None) -> set[int]:
        return {
            job.id
            for job in self.jobs.values()
            if job.state in states and queue in {None, job.queue} and (job.finished_at or 0) <= before
        }

    def overdue(self, now: int) -> set[int]:
        return {
            job_id for job_id, (_, purge_at) in self.kept.items() if purge_at is not None and purge_at <= now
        }

    def beyond(self, state: JobState, keep: Keep, now: int) -> list[int]:
        """Return when those finished that are past what the configuration keeps, the first of them first."""
        ends = sorted(job.updated_at for job in self.in_state(state) if not self.kept[job.id][0])
        if keep.count is not None:
            return ends[: max(0, len(ends) - keep.count)]
        return [end for end in ends if end < now - (keep.for_ms or 0)]

    def forget(self, job_ids: Iterable[int]) -> int:
        gone = {
            one for one in job_ids if one in self.jobs and self.jobs[one].state is not JobState.PROCESSING
        }
        for job_id in gone:
            del self.jobs[job_id], self.kept[job_id]
            self.inputs.pop(job_id, None)
        self.flows.forget(gone)
        self.attempts = {key: attempt for key, attempt in self.attempts.items() if key[0] not in gone}
        return len(gone)

    # Workers

    def abandoned(self) -> set[str | None]:
        return {job.worker for job in self.in_state(JobState.PROCESSING)} - self.workers.keys()

    def running_of(self, worker: str) -> list[int]:
        return sorted(job.id for job in self.in_state(JobState.PROCESSING) if job.worker == worker)

    # What follows from the rest

    def counts(self) -> Mapping[tuple[str, JobState, int], int]:
        return Counter((job.queue, job.state, self.kept[job.id][0]) for job in self.jobs.values())

    def _expiring(self) -> list[Job]:
        return [
            job
            for job in self.in_state(JobState.BLOCKED, JobState.PENDING)
            if job.expires_at and not job.attempt
        ]

    def _startable(self, jobs: Sequence[Job], now: int) -> list[Job]:
        """Those that their queues let start, in their order."""
        running = Counter(job.queue for job in self.in_state(JobState.PROCESSING))
        room = {
            name: 0 if queue.paused else queue.room(running[name], now) for name, queue in self.queues.items()
        }
        nth: Counter[str] = Counter()
        found = []
        for job in jobs:
            nth[job.queue] += 1
            found += [job] if nth[job.queue] <= room[job.queue] else []
        return found

    def _goes_on_before(self, blocked: Job) -> bool:
        """Whether another job of its spec is open, or something in the flow that began with the one before."""
        others = self.of_spec(blocked.spec or "", set(JobState))
        before = [job for job in others if job.id < blocked.id]
        ended = [job for job in before if job.state in FINAL]
        flow = ended[-1].flow if ended else None
        return (
            any(job.state in STARTABLE for job in others)
            or any(job.blocked_by is BlockedBy.GATE for job in before)
            or any(job.flow == flow and _goes_on(job) for job in self.jobs.values() if flow is not None)
        )

    def _waits_for_its_rate(self, job: Job) -> bool:
        slot = slot_of(job)
        return (
            job.blocked_by is BlockedBy.GATE
            and job.frozen.rate_us is not None
            and not (slot and self.gates.holders(slot))
        )

    def set(self, job_id: int, now: int, **changes: Any) -> None:
        before = self.jobs[job_id]
        after = replace(before, updated_at=now, **changes)
        after = replace(
            after,
            finished_at=now if after.state in FINAL else None,
            blocked_by=after.blocked_by if after.state is JobState.BLOCKED else None,
        )
        self.jobs[job_id] = after
        keep = next((keep for name, keep in after.frozen.keep.items() if name == after.state), None)
        until = None if keep is None or keep.for_ms is None else now + keep.for_ms
        self.kept[job_id] = int(keep is not None), until
        self.queues.setdefault(after.queue, QueueRow())
        if after.state in FINAL and before.state not in FINAL:
            self.flows.ended(job_id, now)


def _goes_on(job: Job) -> bool:
    """Whether something happens to it by itself; what waits for others does so when these end."""
    return job.state in STARTABLE or job.blocked_by is BlockedBy.GATE
