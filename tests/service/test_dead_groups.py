from __future__ import annotations

from pathlib import Path

import pytest

from queuectl.model.job import Job
from queuectl.model.states import JobState, Outcome
from queuectl.service import dead_groups, jobs
from queuectl.service.context import Context
from queuectl.service.dead_groups import Kind
from tests.service.applying import apply_files, newest
from tests.store.conftest import Bench


@pytest.fixture
def bench(ctx: Context) -> Bench:
    return Bench(ctx.store)


def dead(bench: Bench, reason: str, *, now: int = 1000, output: bytes = b"", **changes: object) -> Job:
    job = bench.processing(priority=1000, now=now, **changes)
    transition_to_dead(bench, job, reason, now=now, output=output)
    return bench.now(job)


def transition_to_dead(bench: Bench, job: Job, reason: str, *, now: int, output: bytes) -> None:
    from queuectl.model.job import AttemptEnd
    from queuectl.model.transition import Transition

    to = Transition(state=JobState.DEAD, failures=1, losses=0, reason=reason)
    end = AttemptEnd(outcome=Outcome.FAILED, exit_code=1, output=output, output_bytes=len(output))
    assert bench.store.jobs.finish(job, end, to, now=now)


def kinds(ctx: Context) -> dict[Kind, list[int]]:
    return {group.kind: list(group.ids) for group in dead_groups.groups(ctx).groups}


def test_what_is_alike_of_one_spec_is_one_group(ctx: Context, bench: Bench) -> None:
    first = dead(bench, "exit code 1, after 4 failures", spec="s", now=1000)
    other = dead(bench, "exit code 2, after 4 failures", spec="s", now=2000)
    third = dead(bench, "exit code 1, after 1 attempt", spec="s", now=3000)
    elsewhere = dead(bench, "exit code 1, after 1 attempt", spec="t", now=2500)

    assert list(kinds(ctx).items()) == [
        (Kind(spec="s", error="exit code 1"), [third.id, first.id]),
        (Kind(spec="t", error="exit code 1"), [elsewhere.id]),
        (Kind(spec="s", error="exit code 2"), [other.id]),
    ]
    group = dead_groups.groups(ctx).groups[0]
    assert (group.newest_at, group.oldest_at) == (3000, 1000)


def test_without_a_spec_commands_that_are_alike_are_one_group(ctx: Context, bench: Bench) -> None:
    one = dead(bench, "timed out", command="convert 1.png", now=1000)
    two = dead(bench, "timed out", command="convert 2.png", now=1001)
    argv = dead(bench, "timed out", command=("convert", "é", "3.png"), now=1002)

    found = kinds(ctx)

    assert sorted(found.values()) == [[two.id, one.id], [argv.id]]
    for kind, ids in found.items():
        assert dead_groups.retry(ctx, kind).done == len(ids)


def test_only_the_newest_are_looked_at(ctx: Context, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        dead(bench, "timed out", spec="s", now=1000 + number)
    monkeypatch.setattr(dead_groups, "LOOKED_AT", 3)

    found = dead_groups.groups(ctx)

    assert (found.dead, found.looked_at, len(found.groups[0].ids)) == (5, 3, 3)


def test_a_group_is_retried_as_a_whole(ctx: Context, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "BATCH", 2)
    monkeypatch.setattr(dead_groups, "LOOKED_AT", 1)
    those = [dead(bench, f"exit code 1, after {number} failures", spec="s") for number in range(5)]
    others = [dead(bench, "exit code 2", spec="s"), dead(bench, "exit code 1", spec="t")]

    assert dead_groups.retry(ctx, Kind(spec="s", error="exit code 1")).done == 5

    assert {bench.now(job).state for job in those} == {JobState.PENDING}
    assert {bench.now(job).state for job in others} == {JobState.DEAD}


def test_a_group_is_forgotten_as_a_whole(ctx: Context, bench: Bench) -> None:
    those = [dead(bench, "exit code 1", spec="s") for _ in range(3)]
    other = dead(bench, "exit code 2", spec="s")

    assert dead_groups.forget(ctx, Kind(spec="s", error="exit code 1")).done == 3

    assert [ctx.store.jobs.get(job.id) for job in those] == [None] * 3
    assert bench.now(other).state is JobState.DEAD


def test_none_means_every_kind(ctx: Context, bench: Bench) -> None:
    dead(bench, "exit code 1", spec="s")
    dead(bench, "timed out")
    alive = bench.enqueue()

    assert dead_groups.retry(ctx, None).done == 2
    assert not dead_groups.groups(ctx).groups
    assert dead_groups.forget(ctx, None).done == 0
    assert bench.now(alive).state is JobState.PENDING


def test_one_that_can_not_be_retried_keeps_none_of_the_others(
    ctx: Context, bench: Bench, tmp_path: Path
) -> None:
    folder = tmp_path / "jobs.d"
    apply_files(ctx, folder, {"s.yaml": "command: 'true'\nparams: {day: {default: today}}"})
    with_day = newest(ctx, "s").frozen
    good = dead(bench, "exit code 1", spec="s")
    transition_to_dead(bench, bench.claim(now=1000)[0], "exit code 1", now=1000, output=b"")
    apply_files(ctx, folder, {"s.yaml": "command: 'true'\nparams: {day: {enum: [tomorrow]}}"})
    assert with_day.arguments == {"day": "today"}

    came = dead_groups.retry(ctx, Kind(spec="s", error="exit code 1"))

    assert came.refused
    assert "parameter" in came.refused
    assert came.done in {0, 1}
    assert bench.now(good)


def test_the_last_words(ctx: Context, bench: Bench) -> None:
    said = dead(bench, "exit code 1", output=b"x" * 5000 + b"\nconnection refused\xff\n\n")
    silent = dead(bench, "exit code 1")

    assert dead_groups.last_words(ctx, [said.id, silent.id, 999]) == {said.id: "connection refused\ufffd"}
