"""Gates in the loop: what waits there wakes nobody in vain."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from queuectl.model.job import NewJob
from queuectl.model.spec import Concurrency, JobSpec
from queuectl.model.states import BlockedBy, JobState, OnConflict
from tests.engine.simulation import START, Simulation

RATE_US = 100_000


@pytest.mark.parametrize("on_conflict", [OnConflict.SKIP, OnConflict.REPLACE])
def test_a_damaged_job_at_a_gate_stops_nobody(tmp_path: Path, on_conflict: OnConflict) -> None:
    sim = Simulation(tmp_path / "queue.db", slots=4)
    spec = JobSpec(command="x", concurrency=Concurrency(key="db", on_conflict=on_conflict))
    new = NewJob(frozen=spec, spec="s", state=JobState.BLOCKED, blocked_by=BlockedBy.GATE, run_at=START)
    sim.store.jobs.enqueue_many([new], now=START)
    sim.settle()
    sim.store.jobs.enqueue_many([new], now=START)
    connection = apsw.Connection(str(tmp_path / "queue.db"))
    connection.execute(
        "UPDATE jobs SET frozen = '{' WHERE id = ?", (2 if on_conflict is OnConflict.SKIP else 1,)
    )
    sim.add()
    sim.settle()
    states = dict(connection.execute("SELECT id, state FROM jobs"))
    connection.close()
    assert states[3] == "processing"
    assert states[2] == ("cancelled" if on_conflict is OnConflict.SKIP else "blocked")


@pytest.mark.parametrize("kept_back_by", ["slot", "worker"])
def test_a_rate_that_would_allow_it_is_no_reason_to_look_again_and_again(
    tmp_path: Path, kept_back_by: str
) -> None:
    sim = Simulation(tmp_path / "queue.db", slots=1 if kept_back_by == "worker" else 4)
    if kept_back_by == "slot":
        spec = JobSpec(command="x", rate_us=RATE_US, concurrency=Concurrency(key="db"))
        new = NewJob(frozen=spec, spec="s", state=JobState.BLOCKED, blocked_by=BlockedBy.GATE, run_at=START)
    else:
        sim.store.gates.limit_queue("default", running=None, interval_us=RATE_US)
        new = NewJob(frozen=JobSpec(command="x"), state=JobState.PENDING, run_at=START)
    sim.store.jobs.enqueue_many([new, new], now=START)
    ticks = 0
    while sim.clock.elapsed < 3_000:
        sim.clock.elapsed += max(1, sim.engine.tick())
        ticks += 1
    assert len(sim.spawner.alive) == 1
    assert ticks < 20
    sim.spawner.end(*sim.spawner.alive)
    sim.engine.tick()
    sim.engine.tick()
    assert [key[0] for key in sim.spawner.alive] == [2]
