from __future__ import annotations

from pathlib import Path

import pytest

from queuectl.model.states import JobState
from queuectl.service.context import Context
from queuectl.service.status import status
from tests.service.applying import apply_files
from tests.service.conftest import NOON, Clock
from tests.store.conftest import Bench


@pytest.fixture
def bench(ctx: Context) -> Bench:
    return Bench(ctx.store)


def test_an_empty_queue(ctx: Context) -> None:
    found = status(ctx)

    assert found.jobs == dict.fromkeys(JobState, 0)
    assert (found.total, found.success_rate, found.avg_duration_ms, found.oldest_pending_s) == (
        0,
        None,
        None,
        None,
    )
    assert (found.workers, found.next_fires) == ((), ())


def test_a_queue_in_use(ctx: Context, bench: Bench, clock: Clock) -> None:
    for state in JobState:
        bench.in_state(state, spec="s", now=NOON)
    bench.finish(bench.processing(priority=999, now=NOON), now=NOON + 500)
    bench.finish(bench.processing(priority=999, now=NOON), now=NOON + 100)
    clock.pass_by(2_500)

    found = status(ctx)

    assert found.jobs == {state: 3 if state is JobState.COMPLETED else 1 for state in JobState}
    assert found.total == 10
    assert found.success_rate == 0.75
    assert found.avg_duration_ms == 200
    assert found.oldest_pending_s == 2.5


def test_a_clock_that_went_back_makes_nothing_negative(ctx: Context, bench: Bench) -> None:
    bench.enqueue(now=NOON + 5_000)

    assert status(ctx).oldest_pending_s == 0


def test_the_next_fires_are_five_at_most_without_paused_specs(ctx: Context, tmp_path: Path) -> None:
    files = {f"at{hour}.yaml": f"command: 'true'\nschedule: '0 {hour} * * *'" for hour in range(13, 21)}
    files["at14.yaml"] += "\npaused: true"
    apply_files(ctx, tmp_path / "d", files)
    ctx.store.specs.pause("at16", who="me", now=NOON)

    assert [stored.name for stored in status(ctx).next_fires] == ["at13", "at15", "at17", "at18", "at19"]
