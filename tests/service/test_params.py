"""Parameters: what whoever triggers a spec may set."""

from __future__ import annotations

from pathlib import Path

import pytest

from queuectl.model.errors import ConflictError, InvalidSpecError, UsageError
from queuectl.model.states import JobState
from queuectl.rules.gate import slot_key
from queuectl.service import jobs
from queuectl.service.backfill import backfill
from queuectl.service.context import Context
from queuectl.service.specs import trigger
from tests.service.applying import apply_files, newest, run_to
from tests.service.conftest import NOON

EXPORT = """
command: ./export
params:
  DAY: {type: string, format: date, description: which day to export}
  LIMIT: {type: integer, minimum: 1, default: 100}
  FULL: {type: boolean, default: false}
"""


@pytest.fixture
def export(ctx: Context, tmp_path: Path) -> Context:
    apply_files(ctx, tmp_path / "d", {"export.yaml": EXPORT})
    return ctx


def test_what_is_set_is_checked_and_given_to_the_job(export: Context) -> None:
    (job,) = trigger(export, ["export"], arguments={"DAY": "2026-03-01", "LIMIT": "5"})
    assert job.frozen.arguments == {"DAY": "2026-03-01", "LIMIT": "5", "FULL": "false"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "DAY has to be set: which day to export"),
        ({"DAY": "2026-03-01", "LIMIT": "0"}, "LIMIT: 0 is less than the minimum of 1"),
        ({"DAY": "2026-03-01", "LIMIT": "many"}, "LIMIT: 'many' is not of type 'integer'"),
        ({"DAY": "2026-03-01", "LIMT": "1"}, "no parameter 'LIMT', did you mean 'LIMIT'"),
        ({"DAY": "yesterday"}, "DAY: 'yesterday' is not a 'date'"),
        ({"DAY": "2026-03-01", "FULL": "yes"}, "FULL: 'yes' is not of type 'boolean'"),
    ],
)
def test_what_is_wrong_is_named(export: Context, arguments: dict[str, str], says: str) -> None:
    with pytest.raises(UsageError, match=f"spec 'export': {says}"):
        trigger(export, ["export"], arguments=arguments)


def test_apply_runs_nothing_that_has_to_be_set(export: Context, tmp_path: Path) -> None:
    assert export.store.jobs.list() == []
    planned = apply_files(export, tmp_path / "d", {"export.yaml": EXPORT + "priority: 3\n"}).plan
    assert [one.job_action for one in planned.updated] == ["runs when it is triggered with --set"]


def test_a_job_of_defaults_runs_at_once(ctx: Context, tmp_path: Path) -> None:
    apply_files(ctx, tmp_path / "d", {"x.yaml": "command: x\nparams: {LIMIT: {type: integer, default: 7}}\n"})
    assert newest(ctx, "x").frozen.arguments == {"LIMIT": "7"}


def test_a_retry_keeps_what_was_set(export: Context, tmp_path: Path) -> None:
    trigger(export, ["export"], arguments={"DAY": "2026-03-01", "LIMIT": "5"})
    job = run_to(export, JobState.DEAD, "export")
    apply_files(export, tmp_path / "d", {"export.yaml": EXPORT.replace("  FULL", "  ALL")})
    assert jobs.retry(export, job).frozen.arguments == {"DAY": "2026-03-01", "LIMIT": "5", "ALL": "false"}


def test_a_retry_says_what_is_missing(export: Context, tmp_path: Path) -> None:
    trigger(export, ["export"], arguments={"DAY": "2026-03-01"})
    job = run_to(export, JobState.DEAD, "export")
    apply_files(export, tmp_path / "d", {"export.yaml": EXPORT.replace("  DAY", "  DATE")})
    with pytest.raises(
        ConflictError, match="DATE has to be set: which day to export; --as-was runs it as it was"
    ):
        jobs.retry(export, job)
    assert jobs.retry(export, job, as_was=True).frozen.arguments["DAY"] == "2026-03-01"


def test_a_trigger_may_be_for_later(export: Context) -> None:
    (job,) = trigger(export, ["export"], arguments={"DAY": "2026-03-01"}, at=NOON + 1)
    assert (job.state, job.run_at) == (JobState.SCHEDULED, NOON + 1)


def test_a_slot_may_be_named_by_a_parameter(ctx: Context, tmp_path: Path) -> None:
    spec = "command: x\nparams: {TENANT: {}}\nconcurrency: {key: 'db-${TENANT}'}\n"
    apply_files(ctx, tmp_path / "d", {"x.yaml": spec})
    (job,) = trigger(ctx, ["x"], arguments={"TENANT": "acme"})
    assert job.reason == "waits for a slot of 'db-acme'"
    (job,) = trigger(ctx, ["x"], arguments={"TENANT": ""})
    assert (slot_key(job.frozen), job.reason) == ("db-", "waits for a slot of 'db-'")


def test_no_value_of_env_is_shown_in_what_a_job_waits_for(ctx: Context, tmp_path: Path) -> None:
    spec = "command: x\nenv: {TOKEN: %r}\nconcurrency: {key: '${TOKEN}', on_conflict: skip}\n"
    apply_files(ctx, tmp_path / "d", {"x.yaml": spec % "hunter2", "y.yaml": spec % ""})
    assert newest(ctx, "x").reason == newest(ctx, "y").reason == "waits for a slot of '${TOKEN}'"
    trigger(ctx, ["x"])
    ctx.store.gates.admit(now=NOON)
    assert newest(ctx, "x").reason == "skipped: the slot '${TOKEN}' is taken"


def test_values_are_checked_before_the_queue_is_locked(
    ctx: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pattern may take minutes over a value; nobody else shall wait for it."""
    fields = "command: x\nschedule: '@daily'\nparams: {A: {pattern: '^a+$', default: a}}\n"
    apply_files(ctx, tmp_path / "d", {"x.yaml": fields})
    monkeypatch.setattr(type(ctx.store), "transaction", lambda _: pytest.fail("it is locked"))
    for refused in (
        lambda: trigger(ctx, ["x"], arguments={"A": "b"}),
        lambda: backfill(ctx, "x", start=NOON - 90_000_000, end=NOON, arguments={"A": "b"}),
    ):
        with pytest.raises(UsageError, match="spec 'x': A: 'b' does not match"):
            refused()


def test_a_whole_number_is_one_however_it_is_written(ctx: Context, tmp_path: Path) -> None:
    apply_files(ctx, tmp_path / "d", {"x.yaml": "command: x\nparams: {N: {type: integer, default: 1.0}}\n"})
    assert newest(ctx, "x").frozen.arguments == {"N": "1"}
    (job,) = trigger(ctx, ["x"], arguments={"N": "1e3"})
    assert job.frozen.arguments == {"N": "1000"}


@pytest.mark.parametrize(
    ("params", "says"),
    [
        (
            "{LIMIT: {type: integer, default: many}}",
            "LIMIT: 'many' is not of type 'integer' \\(its default\\)",
        ),
        ("{LIMIT: {type: array}}", "LIMIT: type: expected string, integer, number, boolean"),
        ("{LIMIT: {type: text}}", "LIMIT: type: expected string, integer, number, boolean; found text"),
        ("{LIMIT: {$ref: 'https://example.org/x'}}", "expected keywords of JSON Schema"),
        ("{QUEUECTL_X: {}}", "expected the name of a variable"),
        ("{A-B: {}}", "expected the name of a variable"),
        ("{LANG: {default: C}}", "LANG: is in env, too"),
        ("{}", "expected a mapping of names"),
        ("{DAY: {type: string}}", "DAY: expected a default, as nobody sets it when the schedule fires"),
    ],
)
def test_what_can_not_be_declared_is_refused(ctx: Context, tmp_path: Path, params: str, says: str) -> None:
    with pytest.raises(InvalidSpecError, match=says):
        apply_files(
            ctx,
            tmp_path / "d",
            {"x.yaml": f"command: x\nschedule: '@daily'\nenv: {{LANG: C}}\nparams: {params}\n"},
        )
