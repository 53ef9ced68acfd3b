"""What attempts came to, and what is ahead."""

from __future__ import annotations

from pathlib import Path

import pytest

from queuectl.engine.retention import forget_some
from queuectl.model.states import JobState, Outcome
from queuectl.service.activity import activity
from queuectl.service.ahead import AHEAD_MS, MOST_FIRES, ahead
from queuectl.service.context import Context
from queuectl.service.specs import trigger
from queuectl.store.minutes import COARSE_MS, KEPT_MS
from tests.service.applying import apply_files
from tests.service.conftest import NOON
from tests.store.conftest import Bench

MINUTE = 60_000


@pytest.fixture
def bench(ctx: Context) -> Bench:
    return Bench(ctx.store)


def end(bench: Bench, outcome: Outcome, *, started: int, took: int) -> None:
    job = bench.processing(now=started)
    state = JobState.COMPLETED if outcome is Outcome.SUCCEEDED else JobState.DEAD
    assert bench.finish(job, state, outcome=outcome, now=started + took)


def test_attempts_are_counted_in_the_step_that_they_ended_in(ctx: Context, bench: Bench) -> None:
    end(bench, Outcome.SUCCEEDED, started=NOON - 5 * MINUTE, took=1000)
    end(bench, Outcome.SUCCEEDED, started=NOON - 5 * MINUTE, took=1000)
    end(bench, Outcome.TIMED_OUT, started=NOON - 5 * MINUTE, took=2 * MINUTE)
    end(bench, Outcome.INTERRUPTED, started=NOON - 5 * MINUTE, took=1)
    end(bench, Outcome.SUCCEEDED, started=NOON - 90 * MINUTE, took=1)

    hour, day = activity(ctx, "hour"), activity(ctx, "day")

    by_age = {(NOON - step.at) // MINUTE: step for step in hour.steps if step.succeeded or step.failed}
    assert {age: (step.succeeded, step.failed) for age, step in by_age.items()} == {5: (2, 0), 3: (0, 1)}
    assert (len(hour.steps), hour.steps[-1].at, hour.succeeded, hour.failed) == (60, NOON, 2, 1)
    assert hour.success_rate == pytest.approx(2 / 3)
    assert hour.median_ms == pytest.approx(768)
    assert by_age[3].median_ms is None
    assert (day.succeeded, day.failed, len(day.steps)) == (3, 1, 96)


def test_an_end_that_is_not_recorded_is_not_counted(ctx: Context, bench: Bench) -> None:
    job = bench.processing(now=NOON - 1000)
    assert bench.finish(job, now=NOON)
    assert not bench.finish(job, now=NOON)
    assert activity(ctx, "hour").succeeded == 1


def test_minutes_are_kept_for_as_long_as_they_are_shown(ctx: Context, bench: Bench, tmp_path: Path) -> None:
    end(bench, Outcome.SUCCEEDED, started=NOON, took=1)
    forget_some(ctx.store, ctx.config, tmp_path, now=NOON + KEPT_MS - COARSE_MS)
    assert ctx.store.minutes.since(0, step_ms=MINUTE)
    forget_some(ctx.store, ctx.config, tmp_path, now=NOON + KEPT_MS + COARSE_MS)
    assert not ctx.store.minutes.since(0, step_ms=MINUTE)


def test_what_is_older_than_a_day_is_summed_up_and_counted_as_before(
    ctx: Context, bench: Bench, tmp_path: Path
) -> None:
    two_days = 48 * 60 * MINUTE
    for minute in range(0, 200, 20):
        outcome = Outcome.FAILED if minute % 40 else Outcome.SUCCEEDED
        end(bench, outcome, started=NOON - two_days + minute * MINUTE, took=1000)
    end(bench, Outcome.SUCCEEDED, started=NOON, took=1000)
    before = activity(ctx, "week")
    for _ in range(2):
        forget_some(ctx.store, ctx.config, tmp_path, now=NOON)
        assert activity(ctx, "week") == before
    assert len(ctx.store.minutes.since(0, step_ms=MINUTE)) == 3
    assert (before.succeeded, before.failed) == (6, 5)


def test_the_lanes_are_of_what_fires_next_with_what_it_did(
    ctx: Context, bench: Bench, tmp_path: Path
) -> None:
    files = {
        "often.yaml": "command: x\nschedule: {every: 1s}\n",
        "soon.yaml": "command: x\nschedule: '30 12 * * *'\n",
        "paused.yaml": "command: x\nschedule: '@hourly'\npaused: true\n",
        "later.yaml": "command: x\nschedule: '0 0 1 1 *'\n",
        "once.yaml": "command: x\n",
    }
    apply_files(ctx, tmp_path / "d", files)
    (job,) = trigger(ctx, ["soon"])
    assert job.id in {one.id for one in bench.claim(9, now=NOON)}
    lanes = {lane.spec: lane for lane in ahead(ctx)}
    assert list(lanes) == ["often", "soon"]
    assert lanes["soon"].fires == [NOON + 30 * MINUTE]
    assert (len(lanes["often"].fires), lanes["often"].has_more) == (MOST_FIRES, True)
    assert max(lanes["soon"].fires) <= NOON + AHEAD_MS
    assert [(run.id, run.outcome) for run in lanes["soon"].runs] == [(job.id, None)]
