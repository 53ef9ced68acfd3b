"""What every database must do with the ledger of fires, and with the specs whose schedules fill it."""

from __future__ import annotations

from typing import Any

import pytest

from queuectl.model.fire import Fire
from queuectl.model.spec import JobSpec, Schedule
from queuectl.model.states import FireOutcome
from queuectl.store.store import Store

FIRED, CAUGHT_UP, SKIPPED, MISSED, EXPIRED, PAUSED = FireOutcome


def fire(due_at: int, outcome: FireOutcome = FIRED, *, spec: str = "s", **fields: Any) -> Fire:
    return Fire(spec=spec, due_at=due_at, outcome=outcome, **fields)


def stretch(start: int, until: int, count: int, outcome: FireOutcome = MISSED, spec: str = "s") -> Fire:
    return fire(start, outcome, until=until, count=count, spec=spec)


# The ledger


@pytest.mark.parametrize("outcome", FireOutcome)
def test_an_instant_of_a_spec_is_entered_once(store: Store, outcome: FireOutcome) -> None:
    assert store.fires.record(fire(100, job_id=1))
    assert not store.fires.record(fire(100, outcome, job_id=2))
    assert store.fires.record(fire(100, outcome, spec="t"))
    assert store.fires.record(fire(101, outcome))

    assert store.fires.list(spec="s")[1] == fire(100, job_id=1)


def test_two_schedulers_enter_an_instant_once(open_store: Any) -> None:
    one, two = open_store(), open_store()

    entered = [store.fires.record(fire(at)) for at in range(5) for store in (one, two)]

    assert entered == [True, False] * 5
    assert len(one.fires.list()) == 5


def test_link_says_what_became_of_an_instant(store: Store) -> None:
    store.fires.record(fire(100))
    store.fires.record(fire(200))

    store.fires.link(fire(100, SKIPPED, reason="job 7 is still processing"))
    store.fires.link(fire(200, FIRED, job_id=8))

    assert store.fires.list() == [
        fire(200, FIRED, job_id=8),
        fire(100, SKIPPED, reason="job 7 is still processing"),
    ]


def test_a_stretch_grows_while_the_outcome_is_the_same(store: Store) -> None:
    store.fires.extend(stretch(100, 200, 2))
    store.fires.extend(fire(300, MISSED))
    store.fires.extend(stretch(400, 600, 3))

    assert store.fires.list() == [stretch(100, 600, 6)]


def test_a_stretch_ends_with_another_outcome_or_spec(store: Store) -> None:
    store.fires.extend(stretch(100, 200, 2))
    store.fires.extend(stretch(300, 400, 2, PAUSED))
    store.fires.extend(stretch(150, 450, 4, spec="t"))
    store.fires.record(fire(500))
    store.fires.extend(stretch(600, 700, 2, PAUSED))

    assert store.fires.list(spec="s") == [
        stretch(600, 700, 2, PAUSED),
        fire(500),
        stretch(300, 400, 2, PAUSED),
        stretch(100, 200, 2),
    ]
    assert store.fires.list(spec="t") == [stretch(150, 450, 4, spec="t")]


def test_the_ledger_is_newest_first_and_filtered(store: Store) -> None:
    store.fires.record(fire(300, spec="t"))
    store.fires.record(fire(400))
    store.fires.extend(stretch(100, 250, 4, spec="u"))

    assert [found.due_at for found in store.fires.list()] == [400, 300, 100]
    assert [found.due_at for found in store.fires.list(limit=1)] == [400]
    assert [found.due_at for found in store.fires.list(spec="t")] == [300]
    assert [found.due_at for found in store.fires.list(since=250)] == [400, 300, 100]
    assert [found.due_at for found in store.fires.list(since=251)] == [400, 300]


# Specs and their schedules


def spec(name: str = "s", **changes: Any) -> JobSpec:
    return JobSpec(**{"name": name, "command": "true", "schedule": Schedule(cron=("* * * * *",))} | changes)


def create(store: Store, made: JobSpec, *, due: int | None = 1000, jitter: int = 0, now: int = 10) -> int:
    apply_id = store.specs.record_apply(at=now, who="me", source="jobs", git_commit="abc", git_dirty=True)
    fires_at = None if due is None else due + jitter
    store.specs.write(
        made,
        source="jobs",
        file="jobs/s.yaml",
        apply_id=apply_id,
        next_due_at=due,
        next_fire_at=fires_at,
        now=now,
    )
    return apply_id


def test_a_spec_comes_back_as_it_was_created(store: Store) -> None:
    apply_id = create(store, spec(), jitter=5)

    stored = store.specs.get("s")

    assert stored is not None
    assert (stored.name, stored.spec, stored.source, stored.file) == ("s", spec(), "jobs", "jobs/s.yaml")
    assert (stored.version, stored.apply_id, stored.created_at, stored.updated_at) == (1, apply_id, 10, 10)
    assert (stored.next_due_at, stored.next_fire_at, stored.last_fire_at) == (1000, 1005, None)
    assert (stored.paused, stored.orphaned, stored.pruned_at, stored.done_digest) == (
        False,
        False,
        None,
        None,
    )
    assert store.specs.list() == [stored]
    assert store.specs.get("t") is None
    record = store.specs.apply_record(apply_id)
    assert record is not None
    assert (record.who, record.source, record.git_commit, record.git_dirty) == ("me", "jobs", "abc", True)


def test_an_update_is_a_new_version_and_the_old_one_is_remembered(store: Store) -> None:
    first = create(store, spec())
    changed = spec(command="false")
    second = store.specs.record_apply(at=20, who="me", source="more", git_commit=None, git_dirty=None)

    version = store.specs.write(
        changed,
        source="more",
        file="m.yaml",
        apply_id=second,
        next_due_at=2000,
        next_fire_at=2000,
        now=20,
    )

    stored = store.specs.get("s")
    assert stored is not None
    assert (version, stored.version, stored.spec, stored.source) == (2, 2, changed, "more")
    assert (stored.created_at, stored.updated_at, stored.next_due_at) == (10, 20, 2000)
    assert store.specs.version("s", 1) == (spec(), first)
    assert store.specs.version("s", 2) == (changed, second)
    assert store.specs.version("s", 3) is None


def test_pruned_is_gone_but_remembered_and_may_come_back(store: Store) -> None:
    apply_id = create(store, spec())
    store.specs.mark_done("s", digest="d", job_id=7)

    assert store.specs.prune("s", now=50)
    assert not store.specs.prune("s", now=60)

    stored = store.specs.get("s")
    assert stored is not None
    assert (stored.pruned_at, stored.next_due_at, stored.done_digest, stored.last_job_id) == (
        50,
        None,
        "d",
        7,
    )
    assert store.specs.list() == []
    assert store.specs.list(pruned=True) == [stored]
    assert store.specs.due(now=10**9) == []
    assert not store.specs.pause("s", who="me", now=60)
    store.specs.write(
        spec(), source="jobs", file="f", apply_id=apply_id, next_due_at=5, next_fire_at=5, now=70
    )
    back = store.specs.get("s")
    assert back is not None
    assert (back.pruned_at, back.version, back.done_digest) == (None, 2, "d")


def test_orphan_and_move(store: Store) -> None:
    create(store, spec())
    store.specs.orphan("s")
    assert [stored.orphaned for stored in store.specs.list()] == [True]

    store.specs.move("s", source="other", file="o.yaml")

    (stored,) = store.specs.list()
    assert (stored.orphaned, stored.source, stored.file, stored.version) == (False, "other", "o.yaml", 1)


def test_pause_and_resume_by_hand(store: Store) -> None:
    create(store, spec())

    assert not store.specs.resume("s")
    assert store.specs.pause("s", who="ada", now=70)
    assert not store.specs.pause("s", who="bob", now=80)
    (stored,) = store.specs.list()
    assert (stored.paused, stored.paused_at, stored.paused_by) == (True, 70, "ada")
    assert store.specs.resume("s")
    (stored,) = store.specs.list()
    assert (stored.paused, stored.paused_at, stored.paused_by) == (False, None, None)


def test_due_and_coming_go_by_the_fire_with_its_jitter(store: Store) -> None:
    create(store, spec("late"), due=1000, jitter=500)
    create(store, spec("early"), due=1100)
    create(store, spec("never"), due=None)

    assert store.specs.due(now=1099) == []
    assert [stored.name for stored in store.specs.due(now=1100)] == ["early"]
    assert [stored.name for stored in store.specs.due(now=1500)] == ["early", "late"]
    assert [stored.name for stored in store.specs.due(now=1500, limit=1)] == ["early"]
    assert [stored.name for stored in store.specs.coming(9)] == ["early", "late"]
    assert store.next_deadline() == 1100


def test_only_one_scheduler_moves_a_schedule_on(open_store: Any) -> None:
    one, two = open_store(), open_store()
    create(one, spec(), due=1000)

    def advance(store: Store, fired_at: int | None) -> bool:
        return store.specs.advance(
            "s", expected_due_at=1000, next_due_at=2000, next_fire_at=2001, fired_at=fired_at
        )

    assert advance(one, 1000)
    assert not advance(two, 1000)
    (stored,) = two.specs.list()
    assert (stored.next_due_at, stored.next_fire_at, stored.last_fire_at) == (2000, 2001, 1000)
    assert one.specs.advance("s", expected_due_at=2000, next_due_at=None, next_fire_at=None, fired_at=None)
    (stored,) = one.specs.list()
    assert (stored.next_due_at, stored.last_fire_at) == (None, 1000)
