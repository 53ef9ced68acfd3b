from __future__ import annotations

from typing import Any

import msgspec
import pytest

from queuectl.model.config import Config
from queuectl.model.env import EnvRef
from queuectl.model.errors import ConflictError
from queuectl.model.fire import StoredSpec
from queuectl.model.spec import Backoff, ExitCodes, JobSpec, Keep, LoadedSpec, Schedule
from queuectl.model.states import CatchUp
from queuectl.rules.changes import Change, changes
from queuectl.rules.plan import Plan, plan

NOON = 1_780_315_200_000
"""2026-06-01T12:00:00Z."""
HOUR = 3_600_000


def loaded(name: str, **fields: Any) -> LoadedSpec:
    spec = JobSpec(**{"name": name, "command": "true", **fields})
    return LoadedSpec(spec=spec, file=f"jobs.d/{name}.yaml", line=1)


def held(one: LoadedSpec, **fields: Any) -> StoredSpec:
    values: dict[str, Any] = {
        "spec": one.spec,
        "source": "here",
        "file": one.file,
        "version": 1,
        "apply_id": 1,
        "created_at": NOON - 100 * HOUR,
        "updated_at": NOON - 100 * HOUR,
        "next_due_at": None,
        "next_fire_at": None,
        "last_fire_at": None,
        "paused_at": None,
        "paused_by": None,
        "orphaned": False,
        "pruned_at": None,
        "done_digest": None,
        "last_job_id": None,
    }
    return StoredSpec(**{**values, **fields})


def planned(files: list[LoadedSpec], queue: list[StoredSpec], **options: Any) -> Plan:
    return plan(
        files,
        {stored.name: stored for stored in queue},
        **{"source": "here", "config": Config(), "now": NOON, "last_jobs": {}, **options},
    )


def test_each_spec_is_in_one_part_by_name() -> None:
    same, other, new, gone = loaded("same"), loaded("other"), loaded("new"), loaded("gone")
    found = planned(
        [new, same, loaded("a-new"), loaded("other", priority=3)], [held(same), held(other), held(gone)]
    )
    assert [one.name for one in found.created] == ["a-new", "new"]
    assert [one.name for one in found.updated] == ["other"]
    assert (found.unchanged, found.orphaned, found.pruned) == (1, ("gone",), ())
    assert found.changes_anything


def test_orphans_are_pruned_when_that_is_asked() -> None:
    found = planned([], [held(loaded("b")), held(loaded("a"))], prune=True)
    assert (found.orphaned, found.pruned, found.newly_orphaned) == ((), ("a", "b"), ())


def test_orphans_alone_change_nothing() -> None:
    found = planned([], [held(loaded("a"), orphaned=True), held(loaded("b"))])
    assert (found.orphaned, found.newly_orphaned) == (("a", "b"), ("b",))
    assert not found.changes_anything


def test_other_sources_and_pruned_specs_are_neither_orphaned_nor_pruned() -> None:
    others = [held(loaded("a"), source="there"), held(loaded("b"), pruned_at=NOON)]
    assert planned([], others, prune=True) == Plan(source="here")
    assert planned([], [held(loaded("a"))], prune=True, is_part=True) == Plan(source="here", is_part=True)


def test_names_of_other_sources_are_refused_all_at_once() -> None:
    others = [held(loaded(f"s{n}"), source="there") for n in range(7)]
    with pytest.raises(
        ConflictError, match="'s0', 's1', 's2', 's3', 's4' and 2 more: held by the source 'there'"
    ):
        planned([loaded(f"s{n}") for n in range(7)], others)
    assert len(planned([loaded(f"s{n}") for n in range(7)], others, adopt=True).updated) == 7


def test_a_pruned_name_is_free_for_any_source() -> None:
    found = planned([loaded("a")], [held(loaded("a"), source="there", pruned_at=NOON)])
    assert [one.name for one in found.created] == ["a"]


@pytest.mark.parametrize(
    ("old", "new", "due"),
    [
        (Schedule(cron=("0 2 * * *",)), Schedule(cron=("0 3 * * *",)), NOON + 15 * HOUR),
        (
            Schedule(cron=("0 2 * * *",)),
            Schedule(cron=("0 2 * * *",), timezone="Asia/Tokyo"),
            NOON + 5 * HOUR,
        ),
        (Schedule(cron=("0 2 * * *",)), Schedule(cron=("0 2 * * *",), timezone="UTC"), 42),
        (Schedule(cron=("0 2 * * *",)), Schedule(cron=("0 2 * * *",), catch_up=CatchUp.ALL), 42),
        (Schedule(cron=("0 2 * * *",)), Schedule(every_ms=3 * HOUR), NOON + 2 * HOUR),
        (None, Schedule(every_ms=3 * HOUR), NOON + 2 * HOUR),
        (Schedule(every_ms=HOUR), None, None),
    ],
)
def test_the_next_due_instant_is_reckoned_anew_when_the_instants_are_others(
    old: Schedule | None, new: Schedule | None, due: int | None
) -> None:
    stored = held(loaded("a", schedule=old), next_due_at=42 if old else None)
    (one,) = planned([loaded("a", schedule=new)], [stored]).updated
    assert (one.next_due_at, one.next_fire_at, one.is_retimed) == (due, due, due != 42)


def test_changes_are_in_the_words_of_the_file_and_keep_secrets() -> None:
    old = JobSpec(
        command="a b", timeout_ms=60_000, env={"A": "secret", "B": "b", "C": "same"}, labels={"x": "1"}
    )
    new = JobSpec(
        command=("a", "b c"),
        timeout_ms="none",
        env={"A": "other", "C": "same", "D": EnvRef(from_env="TOKEN")},
        schedule=Schedule(cron=("0 2 * * *", "@daily"), jitter_ms=90_000),
        run_at_ms=NOON,
        max_log_bytes=65_536,
        backoff=Backoff(base_ms=2_500, factor=3.0),
        exit_codes=ExitCodes(rules=(("success", ((0, 0), (3, 5))), ("dead", ((64, 78),)))),
        keep={"completed": Keep(for_ms=86_400_000), "dead": Keep(count=5)},
        paused=True,
    )
    assert {one.field: (one.old, one.new) for one in changes(old, new)} == {
        "command": ("a b", "a 'b c'"),
        "timeout": ("1m", "none"),
        "env.A": ("***", "***"),
        "env.B": ("***", None),
        "env.D": (None, "from_env TOKEN"),
        "labels.x": ("1", None),
        "schedule.cron": (None, "0 2 * * *; @daily"),
        "schedule.jitter": (None, "1m30s"),
        "run_at": (None, "2026-06-01T12:00:00Z"),
        "max_log": (None, "64KiB"),
        "backoff.base": (None, "2.5s"),
        "backoff.factor": (None, "3.0"),
        "exit_codes": ("snooze_for 1m", "success 0, 3-5; dead 64-78; snooze_for 1m"),
        "keep.completed": (None, "1d"),
        "keep.dead": (None, "5"),
        "paused": ("false", "true"),
    }
    assert "secret" not in repr(changes(old, new))


def test_a_string_and_a_list_that_read_alike_are_a_change() -> None:
    assert changes(JobSpec(command="ls -l"), JobSpec(command=("ls", "-l"))) == (
        Change(field="command", old="ls -l", new="ls -l"),
    )


@pytest.mark.parametrize("field", [field.name for field in msgspec.structs.fields(JobSpec)])
def test_no_difference_goes_unseen(field: str) -> None:
    values: dict[str, Any] = {
        "schedule": Schedule(every_ms=HOUR),
        "backoff": Backoff(max_ms=1),
        "exit_codes": ExitCodes(snooze_for_ms=1),
        "keep": {"dead": Keep(count=1)},
        "paused": True,
        "priority": 1,
        "shell": ("zsh", "-c"),
        "env_file": ("/x",),
    }
    kinds = {"labels": {"a": "b"}, "env": {"a": ""}}
    number = 5 if field.endswith(("_ms", "_bytes")) or field == "retries" else "x"
    old = JobSpec(command="true")
    new = msgspec.structs.replace(old, **{field: values.get(field, kinds.get(field, number))})
    assert changes(old, old) == ()
    assert len(changes(old, new)) == 1
    assert len(changes(new, old)) == 1
