"""What every database must do with many specs and fires in one go, and with the files that specs come from."""

from __future__ import annotations

from typing import Any

import pytest

from queuectl.model.fire import Fire
from queuectl.model.job import NewJob
from queuectl.model.spec import JobSpec, Schedule
from queuectl.model.states import FINAL, FireOutcome, JobState
from queuectl.store.specs import Advance, RememberedFile, WrittenSpec
from queuectl.store.store import Store
from tests.store.conftest import Bench

FIRED, SKIPPED = FireOutcome.FIRED, FireOutcome.SKIPPED


def spec(name: str = "s", **changes: Any) -> JobSpec:
    schedule = Schedule(cron=("* * * * *",))
    return JobSpec(name=name, command="true", schedule=schedule, **changes)


def fire(due_at: int, outcome: FireOutcome = FIRED, *, spec: str = "s", **fields: Any) -> Fire:
    return Fire(spec=spec, due_at=due_at, outcome=outcome, **fields)


def several(store: Store, names: str) -> dict[str, int]:
    apply_id = store.specs.record_apply(at=10, who="me", source="jobs", git_commit=None, git_dirty=None)
    specs = [
        WrittenSpec(
            spec=spec(name), file=f"{name}.yaml", next_due_at=1000 + number, next_fire_at=1000 + number
        )
        for number, name in enumerate(names)
    ]
    return store.specs.write_all(specs, source="jobs", apply_id=apply_id, now=10)


def new_job(name: str, **changes: Any) -> NewJob:
    values: dict[str, Any] = {
        "frozen": spec(name), "spec": name, "spec_version": 1, "state": JobState.PENDING, "run_at": 5,
    }  # fmt: skip
    return NewJob(**values | changes)


def test_many_specs_are_written_like_one(store: Store) -> None:
    assert several(store, "ab") == {"a": 1, "b": 1}
    assert several(store, "bc") == {"b": 2, "c": 1}
    assert several(store, "") == {}
    held = {one.name: (one.version, one.next_due_at, one.file) for one in store.specs.list()}
    assert held == {"a": (1, 1000, "a.yaml"), "b": (2, 1000, "b.yaml"), "c": (1, 1001, "c.yaml")}
    assert store.specs.version("b", 1) == (spec("b"), 1)
    assert store.specs.version("b", 2) == (spec("b"), 2)


def test_many_schedules_move_on_but_for_those_that_others_moved(store: Store) -> None:
    several(store, "abc")
    moves = [
        Advance(name=name, expected_due_at=expected, next_due_at=2000, next_fire_at=2007, fired_at=fired)
        for name, expected, fired in [("a", 1000, 1000), ("b", 999, 999), ("c", 1002, None)]
    ]
    assert store.specs.advance_all(moves) == {"a", "c"}
    assert store.specs.advance_all([]) == set()
    held = [(one.next_due_at, one.next_fire_at, one.last_fire_at) for one in store.specs.list()]
    assert held == [(2000, 2007, 1000), (1001, 1001, None), (2000, 2007, None)]


def test_of_many_instants_those_are_entered_that_are_not_there(store: Store) -> None:
    assert store.fires.record(fire(100, job_id=7))
    assert store.fires.record_all([fire(100), fire(200), fire(100, spec="t")]) == {("s", 200), ("t", 100)}
    assert store.fires.record_all([]) == set()
    store.fires.link_all([fire(200, SKIPPED, reason="busy"), fire(100, FIRED, spec="t", job_id=9)])
    found = {(one.spec, one.due_at): (one.outcome, one.job_id, one.reason) for one in store.fires.list()}
    assert found == {
        ("s", 100): (FIRED, 7, None),
        ("s", 200): (SKIPPED, None, "busy"),
        ("t", 100): (FIRED, 9, None),
    }


def test_many_jobs_of_specs_are_made_as_they_are_asked_for(store: Store) -> None:
    news = [
        new_job("a", fire_at=1, run_at=1, expires_at=9, reason="why"),
        new_job("b", state=JobState.BLOCKED, frozen=spec("b", queue="other", priority=7)),
        new_job("a", fire_at=2, state=JobState.SCHEDULED, spec_version=4),
    ]
    ids = store.specs.make_jobs(news, now=3)
    assert list(ids) == [("a", 1), ("b", None), ("a", 2)]
    for new, job_id in zip(news, ids.values(), strict=True):
        job = store.jobs.get(job_id)
        assert job is not None
        assert (job.spec, job.spec_version, job.frozen, job.state) == (
            new.spec,
            new.spec_version,
            new.frozen,
            new.state,
        )
        assert (job.run_at, job.expires_at, job.fire_at, job.reason) == (
            new.run_at,
            new.expires_at,
            new.fire_at,
            new.reason,
        )
        assert (job.queue, job.priority, job.created_at, job.updated_at) == (
            new.frozen.queue,
            new.frozen.priority,
            3,
            3,
        )
    assert store.specs.make_jobs([], now=3) == {}
    assert {queue.name for queue in store.queues.list()} >= {"default", "other"}


@pytest.mark.parametrize("state", JobState)
def test_a_spec_has_open_jobs_until_they_are_final(bench: Bench, state: JobState) -> None:
    store, job = bench.store, bench.in_state(state, spec="a")
    assert job.spec == "a"
    assert store.specs.with_open_jobs({"a", "b"}) == (set() if state in FINAL else {"a"})
    assert store.specs.with_open_jobs(set()) == set()


def test_far_are_those_beyond_an_instant_page_by_page(store: Store) -> None:
    several(store, "abcde")
    store.specs.prune("d", now=20)
    assert [one.name for one in store.specs.far(now=1, beyond=1000, after="", limit=2)] == ["b", "c"]
    assert [one.name for one in store.specs.far(now=1, beyond=1000, after="c", limit=2)] == ["e"]


def test_far_is_what_is_further_off_than_the_interval_it_counts_in(store: Store) -> None:
    apply_id = store.specs.record_apply(at=10, who="me", source="jobs", git_commit=None, git_dirty=None)
    every = {"a": 100, "b": 900, "c": None}
    specs = [
        WrittenSpec(
            spec=JobSpec(
                name=name,
                command="true",
                schedule=Schedule(every_ms=ms) if ms else Schedule(cron=("* * * * *",)),
            ),
            file="f",
            next_due_at=500,
            next_fire_at=500,
        )
        for name, ms in every.items()
    ]
    store.specs.write_all(specs, source="jobs", apply_id=apply_id, now=10)

    def far(now: int) -> list[str]:
        return [one.name for one in store.specs.far(now=now, beyond=1000, after="", limit=9)]

    assert (far(399), far(400), far(501)) == (["a"], [], [])
    anew = Advance(
        name="a", expected_due_at=500, next_due_at=399, next_fire_at=399, fired_at=None, anchor=399
    )
    store.specs.advance_all([anew])
    assert [one.created_at for one in store.specs.list()] == [399, 10, 10]


def test_files_are_remembered_by_their_path_and_forgotten_by_source(store: Store) -> None:
    def file(path: str, digest: str = "d") -> RememberedFile:
        return RememberedFile(path=path, digest=digest, specs=(("a", 1, 3), ("b", 2, 9)))

    store.specs.remember_files([file("/1"), file("/2")], source="s")
    store.specs.remember_files([file("/2", "e"), file("/3")], source="t")
    assert list(store.specs.files()) == [file("/1"), file("/2", "e"), file("/3")]
    store.specs.forget_files_but(["/3"], source="t")
    store.specs.forget_files_but(["/1"], source="s")
    assert list(store.specs.files()) == [file("/1"), file("/3")]
