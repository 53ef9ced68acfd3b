from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from queuectl.engine.firing import fire_due
from queuectl.model.errors import ConflictError, UnknownError, UsageError
from queuectl.model.states import FireOutcome, JobState
from queuectl.service.apply import apply
from queuectl.service.context import Context
from queuectl.service.specs import delete, get_spec, list_specs, pause, resume, trigger
from tests.service.applying import apply_files, newest, run_to, write
from tests.service.conftest import NOON, Clock

HOUR = 3_600_000


@pytest.fixture
def applied(ctx: Context, tmp_path: Path) -> Context:
    """A queue with an hourly spec and one that runs once."""
    apply_files(
        ctx,
        tmp_path / "jobs.d",
        {"hourly.yaml": "command: tick\nschedule: '0 * * * *'\n", "once.yaml": "command: migrate\n"},
    )
    return ctx


def test_specs_are_found_by_name(applied: Context) -> None:
    assert [stored.name for stored in list_specs(applied)] == ["hourly", "once"]
    assert get_spec(applied, "hourly").spec.command == "tick"


def test_an_unknown_name_gets_the_nearest(applied: Context) -> None:
    for verb in (get_spec, pause, resume, delete):
        with pytest.raises(UnknownError, match="there is no spec 'hourlly', did you mean 'hourly'"):
            verb(applied, "hourlly")


class TestPause:
    def test_a_paused_schedule_makes_no_jobs_and_doesnt_catch_up(
        self, applied: Context, clock: Clock
    ) -> None:
        paused = pause(applied, "hourly")
        assert (paused.paused_at, paused.paused_by) == (NOON, "ada@mill")
        clock.pass_by(3 * HOUR + 1)
        resumed = resume(applied, "hourly")
        (fire,) = applied.store.fires.list(spec="hourly")
        assert (resumed.paused, resumed.next_due_at) == (False, NOON + 4 * HOUR)
        assert (fire.outcome, fire.due_at, fire.until, fire.count) == (
            FireOutcome.PAUSED,
            NOON + HOUR,
            NOON + 3 * HOUR,
            3,
        )
        assert applied.store.jobs.newest_of_spec("hourly") is None

    def test_it_is_the_same_when_a_worker_has_looked_meanwhile(self, applied: Context, clock: Clock) -> None:
        pause(applied, "hourly")
        clock.pass_by(2 * HOUR)
        fire_due(applied.store, applied.config, now=clock.now)
        clock.pass_by(HOUR + 1)
        resume(applied, "hourly")
        (fire,) = applied.store.fires.list(spec="hourly")
        assert (fire.until, fire.count) == (NOON + 3 * HOUR, 3)
        assert applied.store.jobs.newest_of_spec("hourly") is None

    def test_what_was_due_before_is_fired(self, applied: Context, clock: Clock) -> None:
        clock.pass_by(HOUR + 5)
        pause(applied, "hourly")
        assert newest(applied, "hourly").fire_at == NOON + HOUR

    def test_twice_is_once(self, applied: Context, clock: Clock) -> None:
        pause(applied, "hourly")
        clock.pass_by(1)
        again = pause(replace(applied, who="bob@mill"), "hourly")
        assert (again.paused_at, again.paused_by) == (NOON, "ada@mill")
        resume(applied, "hourly")
        assert not resume(applied, "hourly").paused

    def test_a_reason_may_be_given_anew(self, applied: Context, clock: Clock) -> None:
        assert pause(applied, "hourly", reason="disk is full").pause_reason == "disk is full"
        clock.pass_by(1)
        pause(replace(applied, who="bob@mill"), "hourly")
        again = pause(replace(applied, who="bob@mill"), "hourly", reason="disk is broken")
        assert (again.paused_at, again.paused_by, again.pause_reason) == (NOON, "ada@mill", "disk is broken")
        resume(applied, "hourly")
        assert pause(applied, "hourly").pause_reason is None
        with pytest.raises(UsageError, match="reason: expected at most 1000 characters, found 1,001"):
            pause(applied, "hourly", reason="x" * 1001)

    def test_it_outlasts_an_apply(self, applied: Context, tmp_path: Path) -> None:
        pause(applied, "hourly")
        (tmp_path / "jobs.d" / "hourly.yaml").write_text("command: tock\nschedule: '0 * * * *'\n")
        apply(applied, [tmp_path / "jobs.d"])
        assert get_spec(applied, "hourly").paused

    def test_a_spec_without_a_schedule_has_nothing_to_pause(self, applied: Context) -> None:
        with pytest.raises(ConflictError, match="'once' has no schedule to pause; `queuectl cancel once`"):
            pause(applied, "once")

    def test_what_its_file_pauses_is_resumed_there(self, ctx: Context, tmp_path: Path) -> None:
        apply(ctx, [write(tmp_path / "d", {"a.yaml": "command: t\nschedule: '@daily'\npaused: true\n"})])
        with pytest.raises(ConflictError, match=r"paused in its file, d/a\.yaml"):
            resume(ctx, "a")


class TestDelete:
    def test_waiting_jobs_are_cancelled_and_it_fires_no_more(self, applied: Context) -> None:
        (job,) = trigger(applied, ["hourly"])
        delete(applied, "hourly")
        gone = applied.store.jobs.get(job.id)
        assert gone is not None
        assert (gone.state, gone.reason) == (JobState.CANCELLED, "its spec was pruned")
        assert [stored.name for stored in list_specs(applied)] == ["once"]
        assert fire_due(applied.store, applied.config, now=NOON + 5 * HOUR) == []

    def test_what_is_pruned_isnt_there(self, applied: Context) -> None:
        delete(applied, "hourly")
        for verb in (delete, pause, resume, get_spec):
            with pytest.raises(UnknownError, match="'hourly' was pruned; apply its file to bring it back"):
                verb(applied, "hourly")
        with pytest.raises(UnknownError, match="'hourly' was pruned"):
            trigger(applied, ["hourly"])


class TestTrigger:
    def test_a_job_is_made_now_beside_the_schedule(self, applied: Context) -> None:
        before = get_spec(applied, "hourly")
        (job,) = trigger(applied, ["hourly"])
        assert (job.state, job.run_at, job.fire_at) == (JobState.PENDING, NOON, None)
        assert (job.spec, job.spec_version, job.reason) == ("hourly", 1, "triggered by ada@mill")
        assert job.frozen.retries == 3
        assert get_spec(applied, "hourly") == before

    def test_paused_or_done_makes_no_difference(self, applied: Context) -> None:
        pause(applied, "hourly")
        done = run_to(applied, JobState.COMPLETED, "once")
        first, second = trigger(applied, ["hourly", "once", "hourly"])
        assert (first.spec, second.spec) == ("hourly", "once")
        assert second.id > done.id

    def test_it_counts_as_the_run_of_this_version(self, ctx: Context, tmp_path: Path) -> None:
        apply_files(ctx, tmp_path / "d", {"a.yaml": "command: t\npaused: true\n"})
        trigger(ctx, ["a"])
        apply_files(ctx, tmp_path / "d", {"a.yaml": "command: t\n"})
        assert len(ctx.store.jobs.list()) == 1

    def test_one_unknown_name_and_none_is_triggered(self, applied: Context) -> None:
        with pytest.raises(UnknownError):
            trigger(applied, ["hourly", "nonesuch"])
        assert applied.store.jobs.newest_of_spec("hourly") is None
