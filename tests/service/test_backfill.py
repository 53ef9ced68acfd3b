"""Backfill: a schedule for instants of the past."""

from __future__ import annotations

from pathlib import Path

import pytest

from queuectl.model.errors import ConflictError, UsageError
from queuectl.model.states import FireOutcome, JobState
from queuectl.service.backfill import backfill
from queuectl.service.context import Context
from tests.service.applying import apply_files, finish
from tests.service.conftest import NOON, Clock

HOUR = 3_600_000
DAY = 24 * HOUR


@pytest.fixture
def daily(ctx: Context, tmp_path: Path) -> Context:
    apply_files(
        ctx, tmp_path / "d", {"x.yaml": "command: x\nschedule: '0 6 * * *'\n", "once.yaml": "command: y\n"}
    )
    return ctx


def test_one_job_for_each_instant_in_their_order(daily: Context) -> None:
    found = backfill(daily, "x", start=NOON - 3 * DAY, end=NOON)
    assert list(found.due) == [NOON - 2 * DAY - 6 * HOUR, NOON - DAY - 6 * HOUR, NOON - 6 * HOUR]
    jobs = [job for one in found.job_ids if (job := daily.store.jobs.get(one))]
    assert [(job.fire_at, job.state) for job in jobs] == [(at, JobState.BLOCKED) for at in found.due]
    for expected in jobs:
        daily.store.jobs.promote(now=NOON)
        claimed = daily.store.jobs.claim(
            worker="w", host="h", queues=(), outputs=("a", "b"), idle=True, now=NOON
        )
        mine = [job for job in claimed if job.spec == "x"]
        assert [job.id for job in mine] == [expected.id]
        for job in claimed:
            finish(daily, job, JobState.COMPLETED)
    assert {(fire.due_at, fire.outcome, fire.reason) for fire in daily.store.fires.list(spec="x")} == {
        (at, FireOutcome.CAUGHT_UP, "backfilled by ada@mill") for at in found.due
    }


def test_what_has_run_is_left_out_unless_it_is_asked_for(daily: Context) -> None:
    backfill(daily, "x", start=NOON - 2 * DAY, end=NOON - DAY)
    found = backfill(daily, "x", start=NOON - 3 * DAY, end=NOON)
    assert (len(found.due), len(found.ran)) == (2, 1)
    assert len(backfill(daily, "x", start=NOON - 3 * DAY, end=NOON, again=True).due) == 3


def test_a_dry_run_changes_nothing(daily: Context) -> None:
    before = daily.store.jobs.counts()
    found = backfill(daily, "x", start=NOON - 3 * DAY, end=NOON, dry_run=True)
    assert (len(found.due), list(found.job_ids), daily.store.jobs.counts()) == (3, [], before)


def test_spacing_and_overlap(ctx: Context, tmp_path: Path) -> None:
    apply_files(ctx, tmp_path / "d", {"x.yaml": "command: x\nschedule: {every: 1h, overlap: allow}\n"})
    found = backfill(ctx, "x", start=NOON - 3 * HOUR, end=NOON, spacing_ms=1000)
    jobs = [job for one in found.job_ids if (job := ctx.store.jobs.get(one))]
    assert [job.fire_at for job in jobs] == [NOON - 3 * HOUR, NOON - 2 * HOUR, NOON - HOUR]
    assert [(job.state, job.run_at) for job in jobs] == [
        (JobState.PENDING, NOON), (JobState.SCHEDULED, NOON + 1000), (JobState.SCHEDULED, NOON + 2000),
    ]  # fmt: skip


def test_a_stretch_that_was_missed_gets_shorter(daily: Context, clock: Clock) -> None:
    from queuectl.engine.firing import fire_due

    clock.pass_by(5 * DAY)
    with daily.store.transaction():
        fire_due(daily.store, daily.config, now=daily.now())
    stretch = daily.store.fires.list(spec="x")[-1]
    assert (stretch.outcome, stretch.count) == (FireOutcome.MISSED, 4)
    backfill(daily, "x", start=stretch.due_at, end=stretch.due_at + 1)
    later, first = daily.store.fires.list(spec="x")[-2:]
    assert (first.outcome, first.due_at) == (FireOutcome.CAUGHT_UP, stretch.due_at)
    assert (later.outcome, later.count) == (FireOutcome.MISSED, 3)


def test_what_can_not_be_is_refused(daily: Context) -> None:
    with pytest.raises(ConflictError, match="has no schedule"):
        backfill(daily, "once", start=NOON - DAY, end=NOON)
    for start, end in ((NOON, NOON + DAY), (NOON, NOON - DAY)):
        with pytest.raises(UsageError, match="expected a time in the past"):
            backfill(daily, "x", start=start, end=end)
    with pytest.raises(UsageError, match="more than 10,000 instants"):
        backfill(daily, "x", start=0, end=NOON)
