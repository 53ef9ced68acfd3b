"""Fire what is due: every due instant of a schedule becomes one row of the ledger, and maybe a job."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from queuectl.model.config import Config
from queuectl.model.fire import Fire, StoredSpec
from queuectl.model.job import Job
from queuectl.model.spec import Schedule, schedule_zone
from queuectl.model.states import FireOutcome, JobState
from queuectl.rules.catch_up import PlannedFire, decide_fires
from queuectl.rules.making import job_of
from queuectl.rules.overlap import meet
from queuectl.rules.schedule import jitter_offset
from queuectl.rules.zones import DAY_MS
from queuectl.store.store import Store


def fire_due(store: Store, config: Config, *, now: int) -> Sequence[Fire]:
    """Fire every schedule that is due, inside the caller's transaction. Returns what went into the ledger."""
    return [fire for stored in store.specs.due(now=now) for fire in fire_spec(store, config, stored, now=now)]


def set_right(store: Store, config: Config, *, now: int) -> None:
    """Bring back what was planned while the clock was far ahead, inside the caller's transaction."""
    for stored in store.specs.list():
        if stored.next_due_at is not None and stored.next_due_at > now + DAY_MS:
            fire_spec(store, config, stored, now=now)
    store.jobs.bring_back(now=now)


def fire_spec(store: Store, config: Config, stored: StoredSpec, *, now: int) -> Sequence[Fire]:
    """Fire what is due of one spec, inside the caller's transaction. Returns what went into the ledger."""
    schedule = stored.spec.schedule
    return [] if schedule is None else list(_Firing(store, config, stored, schedule, now).fires())


@dataclass(frozen=True, slots=True)
class _Firing:
    """One spec that is due."""

    store: Store
    config: Config
    stored: StoredSpec
    schedule: Schedule
    now: int

    def fires(self) -> Iterator[Fire]:
        """Enter every due instant, and move the schedule on."""
        stored = self.stored
        if stored.next_due_at is None:
            return
        decision = decide_fires(
            self.schedule,
            name=stored.name,
            anchor_ms=stored.created_at,
            zone=schedule_zone(stored.spec, self.config.timezone),
            next_due_ms=stored.next_due_at,
            now_ms=self.now,
            paused=stored.paused,
        )
        entered = [fire for planned in decision.fires if (fire := self._enter(planned))]
        next_due = decision.next_due_ms
        next_fire = None if next_due is None else next_due + jitter_offset(self.schedule, stored.name)
        if (next_due, next_fire) != (stored.next_due_at, stored.next_fire_at):
            self.store.specs.advance(
                stored.name,
                expected_due_at=stored.next_due_at,
                next_due_at=next_due,
                next_fire_at=next_fire,
                fired_at=max((fire.due_at for fire in entered if fire.job_id), default=None),
            )
        yield from entered

    def _enter(self, planned: PlannedFire) -> Fire | None:
        """Enter one planned fire, with its job where it has one. None when another worker fired it already."""
        fire = Fire(
            spec=self.stored.name,
            due_at=planned.due_at,
            until=planned.until,
            count=planned.count,
            outcome=planned.outcome,
            reason=planned.reason,
        )
        if planned.run_at is None:
            self.store.fires.extend(fire)
            return fire
        if not self.store.fires.record(fire):
            return None
        fire = self._with_job(fire, planned.run_at)
        self.store.fires.link(fire)
        return fire

    def _with_job(self, fire: Fire, run_at: int) -> Fire:
        meeting = meet(
            self.schedule.overlap,
            self.store.jobs.open_of_spec(self.stored.name),
            caught_up=fire.outcome is FireOutcome.CAUGHT_UP,
            due=run_at <= self.now,
        )
        if meeting.state is None:
            return replace(fire, outcome=FireOutcome.SKIPPED, reason=meeting.reason)
        for job_id in meeting.cancel:
            self.store.jobs.cancel(job_id, reason="replaced by the next fire of its spec", now=self.now)
        job = self._make(meeting.state, fire.due_at, run_at, meeting.reason)
        return replace(fire, job_id=job.id if job else None)

    def _make(self, state: JobState, due_at: int, run_at: int, reason: str | None) -> Job | None:
        within = self.schedule.start_within_ms
        new = job_of(
            self.stored.spec,
            self.config,
            version=self.stored.version,
            state=state,
            run_at=run_at,
            fire_at=due_at,
            expires_at=None if within is None else due_at + within,
            reason=reason,
        )
        return self.store.jobs.enqueue(new, now=self.now)
