"""Fire what is due: every due instant of a schedule becomes one row of the ledger, and maybe a job.

Thousands of specs may be due at one instant. They are fired some at a time, so that what else the worker does goes
on in between.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from queuectl.engine.flows import grow
from queuectl.engine.journal import event
from queuectl.model.config import DAY_MS, Config
from queuectl.model.fire import Fire, StoredSpec
from queuectl.model.job import NewJob
from queuectl.model.spec import Schedule, schedule_zone
from queuectl.model.states import FireOutcome, JobState, Overlap
from queuectl.rules.making import job_of
from queuectl.rules.overlap import Meeting, meet
from queuectl.store.specs import Advance
from queuectl.store.store import Store

if TYPE_CHECKING:
    from queuectl.rules.catch_up import FireDecision, PlannedFire

AT_ONCE = 100
"""About how many instants are fired in one transaction: some 10 ms."""
COUNTED_AS_ONE = 50
"""So many instants of a stretch take as long as one that fires."""
UNREADABLE_MS = 60_000
"""Between two looks at a schedule that can't be read."""


def fire_due(store: Store, config: Config, *, now: int, at_once: int = AT_ONCE) -> Sequence[Fire]:
    """Fire schedules that are due, inside the caller's transaction. Returns what went into the ledger.

    Stops at about `at_once` instants; the store's next deadline tells whether more are due.
    """
    firing = _Firing(store, config, now)
    for stored in store.specs.due(now=now, limit=at_once):
        firing.decide(stored)
        if firing.cost >= at_once:
            break
    return firing.fire()


def fire_spec(store: Store, config: Config, stored: StoredSpec, *, now: int) -> Sequence[Fire]:
    """Fire what is due of one spec, inside the caller's transaction. Returns what went into the ledger."""
    firing = _Firing(store, config, now)
    firing.decide(stored)
    return firing.fire()


def set_right(
    store: Store, config: Config, *, now: int, after: str = "", at_once: int = AT_ONCE
) -> str | None:
    """Bring back what was planned while the clock was far ahead, inside the caller's transaction.

    Looks at `at_once` specs that are far away, those whose names come behind `after`. Returns the name to go on
    behind; None at the end.
    """
    if not after:
        store.jobs.bring_back(now=now)
    far = store.specs.far(now=now, beyond=now + DAY_MS, after=after, limit=at_once)
    firing = _Firing(store, config, now)
    for stored in far:
        firing.decide(stored)
    firing.fire()
    return far[-1].name if len(far) == at_once else None


class _Entry(msgspec.Struct, frozen=True):
    """A due instant of a spec, or a stretch of them, and what is to become of it."""

    stored: StoredSpec
    schedule: Schedule
    planned: PlannedFire

    @property
    def name(self) -> str:
        return self.stored.name

    def fire(
        self, *, job_id: int | None = None, outcome: FireOutcome | None = None, reason: str | None = None
    ) -> Fire:
        planned = self.planned
        return Fire(
            spec=self.name,
            due_at=planned.due_at,
            until=planned.until,
            count=planned.count,
            outcome=outcome or planned.outcome,
            job_id=job_id,
            reason=reason or planned.reason,
        )


class _Firing:
    """Some specs that are fired in one go: it takes a few statements for all of them, not for each."""

    def __init__(self, store: Store, config: Config, now: int) -> None:
        self.cost = 0
        """As how many single fires it takes so far."""
        self._store = store
        self._config = config
        self._now = now
        self._decided: list[tuple[StoredSpec, Schedule, FireDecision]] = []
        self._unreadable: list[Advance] = []

    def decide(self, stored: StoredSpec) -> None:
        """Take in a spec: what becomes of its instants that are due."""
        from queuectl.rules.catch_up import decide_fires  # noqa: PLC0415  loads cron and zones; many need neither

        if stored.damage is not None:
            self._put_off(stored, stored.damage)
            return
        schedule = stored.spec.schedule
        if schedule is None or stored.next_due_at is None:
            return
        try:
            decision = decide_fires(
                schedule,
                name=stored.name,
                anchor_ms=stored.created_at,
                zone=schedule_zone(stored.spec, self._config.timezone),
                next_due_ms=stored.next_due_at,
                now_ms=self._now,
                paused=stored.paused,
            )
        except ValueError as error:
            self._put_off(stored, str(error))
            return
        self._decided.append((stored, schedule, decision))
        self.cost += sum(1 + fire.count // COUNTED_AS_ONE for fire in decision.fires) or 1

    def fire(self) -> Sequence[Fire]:
        """Enter the instants, make their jobs, and move the schedules on."""
        if not self._decided and not self._unreadable:
            return []
        entries = [
            _Entry(stored, schedule, one) for stored, schedule, found in self._decided for one in found.fires
        ]
        stretches = [entry.fire() for entry in entries if entry.planned.run_at is None]
        for stretch in stretches:
            self._store.fires.extend(stretch)
        fires = self._with_jobs(
            self._entered([entry for entry in entries if entry.planned.run_at is not None])
        )
        self._store.fires.link_all(fires)
        needed = self._store.flows.needed_specs({fire.spec for fire in fires if fire.job_id})
        for fire in fires:
            if fire.job_id and fire.spec in needed:
                grow(
                    self._store, self._config, [(fire.spec, fire.job_id)], now=self._now, fire_at=fire.due_at
                )
        latest = {fire.spec: fire.due_at for fire in fires if fire.job_id}  # they come in their order
        self._store.specs.advance_all([*self._moves(latest), *self._unreadable])
        return [*stretches, *fires]

    def _put_off(self, stored: StoredSpec, reason: str) -> None:
        """Look later at a schedule that could be read when it was applied: its zone is gone, or its row damaged."""
        event("schedule unreadable", level=logging.WARNING, spec=stored.name, reason=reason)
        self.cost += 1
        self._unreadable.append(
            Advance(
                name=stored.name,
                expected_due_at=stored.next_due_at,
                next_due_at=stored.next_due_at,
                next_fire_at=self._now + UNREADABLE_MS,
                fired_at=None,
            )
        )

    def _entered(self, entries: Sequence[_Entry]) -> Sequence[_Entry]:
        """Enter instants into the ledger; without those that another worker fired already."""
        entered = self._store.fires.record_all([entry.fire() for entry in entries])
        return [entry for entry in entries if (entry.name, entry.planned.due_at) in entered]

    def _with_jobs(self, entries: Sequence[_Entry]) -> Sequence[Fire]:
        """Make the jobs: together, where none has to look at the other jobs of its spec."""
        count = Counter(entry.name for entry in entries)
        looking = {entry.name for entry in entries if entry.schedule.overlap is not Overlap.ALLOW}
        company = {name for name in looking if count[name] > 1}
        company |= self._store.specs.with_open_jobs(looking - company)
        alone = [entry for entry in entries if entry.name not in company]
        ids = self._store.specs.make_jobs(
            [self._new_job(entry, Meeting(state=self._ready(entry))) for entry in alone], now=self._now
        )
        return [
            entry.fire(job_id=ids[entry.name, entry.planned.due_at])
            if entry.name not in company
            else self._meet(entry)
            for entry in entries
        ]

    def _meet(self, entry: _Entry) -> Fire:
        """Do about the other jobs of its spec what `overlap` says, and make its own."""
        meeting = meet(
            entry.schedule.overlap,
            self._store.jobs.in_the_way_of(entry.name),
            caught_up=entry.planned.outcome is FireOutcome.CAUGHT_UP,
            due=self._ready(entry) is JobState.PENDING,
        )
        if meeting.state is None:
            return entry.fire(outcome=FireOutcome.SKIPPED, reason=meeting.reason)
        for job_id in meeting.cancel:
            self._store.jobs.cancel(job_id, reason="replaced by the next fire of its spec", now=self._now)
        (job_id,) = self._store.specs.make_jobs([self._new_job(entry, meeting)], now=self._now).values()
        return entry.fire(job_id=job_id)

    def _ready(self, entry: _Entry) -> JobState:
        waits = entry.planned.run_at is not None and entry.planned.run_at > self._now
        return JobState.SCHEDULED if waits else JobState.PENDING

    def _new_job(self, entry: _Entry, meeting: Meeting) -> NewJob:
        within, due_at = entry.schedule.start_within_ms, entry.planned.due_at
        return job_of(
            entry.stored.spec,
            self._config,
            version=entry.stored.version,
            state=meeting.state or JobState.PENDING,
            run_at=entry.planned.run_at or self._now,
            fire_at=due_at,
            expires_at=None if within is None else due_at + within,
            reason=meeting.reason,
            blocked_by=meeting.blocked_by,
        )

    def _moves(self, fired: dict[str, int]) -> Iterator[Advance]:
        from queuectl.rules.schedule import jitter_offset  # noqa: PLC0415  as above

        for stored, schedule, decision in self._decided:
            next_due = decision.next_due_ms
            next_fire = None if next_due is None else next_due + jitter_offset(schedule, stored.name)
            if (next_due, next_fire) != (stored.next_due_at, stored.next_fire_at):
                yield Advance(
                    name=stored.name,
                    expected_due_at=stored.next_due_at,
                    next_due_at=next_due,
                    next_fire_at=next_fire,
                    fired_at=fired.get(stored.name),
                    anchor=decision.anchor_ms,
                )
