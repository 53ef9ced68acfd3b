from __future__ import annotations

import hashlib
import multiprocessing
import subprocess
from pathlib import Path

import pytest
from msgspec.structs import replace

from queuectl.model.config import Config
from queuectl.model.errors import ConflictError, InvalidSpecError, StoreBusyError
from queuectl.model.fire import StoredSpec
from queuectl.model.states import FINAL, WAITING, FireOutcome, JobState
from queuectl.rules.plan import Plan
from queuectl.service.apply import apply, plan, validate
from queuectl.service.context import Context, opened
from queuectl.service.specs import delete, pause, trigger
from tests.service.applying import apply_files, finish, newest, run_to, write
from tests.service.conftest import NOON, Clock

HOUR = 3_600_000
NIGHTLY = "command: dump\nschedule: '0 2 * * *'\n"
ONCE = "command: migrate\n"
ONCE_AND_NIGHTLY = {"a.yaml": ONCE, "b.yaml": NIGHTLY}


def stored(ctx: Context, name: str) -> StoredSpec:
    found = ctx.store.specs.get(name)
    assert found is not None
    return found


def content(ctx: Context) -> str:
    """Everything that the queue holds, as text."""
    dump = []
    connection = ctx.store.database._connection  # type: ignore[attr-defined]
    for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        dump.append((table, connection.execute(f'SELECT * FROM "{table}"').fetchall()))  # noqa: S608
    return repr(dump)


class TestCreate:
    def test_a_schedule_gets_its_next_fire_and_no_job(self, ctx: Context, tmp_path: Path) -> None:
        done = apply_files(ctx, tmp_path / "jobs.d", {"nightly.yaml": NIGHTLY})
        (made,) = done.plan.created
        spec = stored(ctx, "nightly")
        assert (made.name, made.file, made.words) == ("nightly", "jobs.d/nightly.yaml", "At 02:00, UTC")
        assert spec.next_due_at == spec.next_fire_at == made.next_fire_at == NOON + 14 * HOUR
        assert (spec.version, spec.source) == (1, str(tmp_path / "jobs.d"))
        assert ctx.store.jobs.list() == []

    def test_the_zone_of_the_configuration_counts(self, ctx: Context, tmp_path: Path) -> None:
        ctx = replace(ctx, config=Config(timezone="Europe/Berlin"))
        (made,) = apply_files(ctx, tmp_path / "jobs.d", {"nightly.yaml": NIGHTLY}).plan.created
        assert (made.zone, made.next_due_at) == ("Europe/Berlin", NOON + 12 * HOUR)

    def test_every_fires_at_its_first_apply(self, ctx: Context, tmp_path: Path) -> None:
        apply_files(ctx, tmp_path / "jobs.d", {"tick.yaml": "command: t\nschedule: {every: 15m}\n"})
        assert stored(ctx, "tick").next_due_at == NOON

    def test_jitter_is_in_the_fire_and_not_in_the_due_instant(self, ctx: Context, tmp_path: Path) -> None:
        text = "command: t\nschedule: {cron: '0 2 * * *', jitter: 30m}\n"
        apply_files(ctx, tmp_path / "jobs.d", {"tick.yaml": text})
        spec = stored(ctx, "tick")
        assert spec.next_due_at == NOON + 14 * HOUR
        assert spec.next_fire_at is not None
        assert 0 < spec.next_fire_at - spec.next_due_at <= HOUR / 2

    def test_without_a_schedule_it_runs_once(self, ctx: Context, tmp_path: Path) -> None:
        (made,) = apply_files(ctx, tmp_path / "jobs.d", {"once.yaml": ONCE}).plan.created
        job = newest(ctx, "once")
        assert made.job_action == "runs once now"
        assert (job.state, job.run_at, job.spec_version) == (JobState.PENDING, NOON, 1)
        assert job.frozen.cwd == str(tmp_path / "jobs.d")

    def test_a_run_at_in_the_future_is_waited_for(self, ctx: Context, tmp_path: Path) -> None:
        text = ONCE + "run_at: 2026-06-01T13:00:00Z\n"
        (made,) = apply_files(ctx, tmp_path / "jobs.d", {"once.yaml": text}).plan.created
        job = newest(ctx, "once")
        assert made.job_action == "runs once at 2026-06-01T13:00:00Z"
        assert (job.state, job.run_at) == (JobState.SCHEDULED, NOON + HOUR)

    def test_a_run_at_in_the_past_is_now(self, ctx: Context, tmp_path: Path) -> None:
        apply_files(ctx, tmp_path / "jobs.d", {"once.yaml": ONCE + "run_at: 2020-06-01T13:00:00Z\n"})
        assert (newest(ctx, "once").state, newest(ctx, "once").run_at) == (JobState.PENDING, NOON)

    def test_one_bad_file_and_nothing_is_applied(self, ctx: Context, tmp_path: Path) -> None:
        before = content(ctx)
        with pytest.raises(InvalidSpecError, match=r"bad\.yaml(.|\n)*worse\.yaml"):
            apply_files(
                ctx,
                tmp_path / "d",
                {"good.yaml": ONCE, "bad.yaml": "retrys: 1\n", "worse.yaml": "command: 1\n"},
            )
        assert content(ctx) == before

    def test_a_name_in_two_files_names_both(self, ctx: Context, tmp_path: Path) -> None:
        with pytest.raises(InvalidSpecError, match=r"a\.yaml(.|\n)*b\.yaml|b\.yaml(.|\n)*a\.yaml"):
            apply_files(ctx, tmp_path / "d", {"a.yaml": "name: x\n" + ONCE, "b.yaml": "name: x\n" + ONCE})

    def test_a_warning_for_what_was_probably_not_meant(self, ctx: Context, tmp_path: Path) -> None:
        done = apply_files(ctx, tmp_path / "d", {"a.yaml": "command: a | b\ncwd: missing\n", "b.yaml": ONCE})
        assert len(done.plan.warnings) == 2
        assert all("a.yaml" in line for line in done.plan.warnings)
        assert apply(ctx, [tmp_path / "d"]).plan.warnings == ()

    def test_other_files_are_named(self, ctx: Context, tmp_path: Path) -> None:
        done = apply_files(ctx, tmp_path / "d", {"a.yaml": ONCE, "README.md": "hello"})
        assert done.plan.ignored == (f"{tmp_path}/d/README.md",)


class TestNothingToDo:
    def test_unchanged_files_change_nothing_at_all(self, ctx: Context, tmp_path: Path, clock: Clock) -> None:
        files = {
            "nightly.yaml": NIGHTLY,
            "once.yaml": ONCE,
            "tick.yaml": "command: t\nschedule: {every: 15m}\n",
        }
        apply_files(ctx, tmp_path / "jobs.d", files)
        run_to(ctx, JobState.DEAD, "once")
        before = content(ctx)
        clock.pass_by(30 * HOUR)
        done = apply(ctx, [tmp_path / "jobs.d"], prune=True)
        assert (done.apply_id, done.plan.unchanged, done.plan.changes_anything) == (None, 3, False)
        assert content(ctx) == before

    def test_a_dry_run_changes_nothing(self, ctx: Context, tmp_path: Path) -> None:
        apply_files(ctx, tmp_path / "jobs.d", {"nightly.yaml": NIGHTLY, "old.yaml": ONCE})
        before = content(ctx)
        folder = write(tmp_path / "jobs.d", {"nightly.yaml": NIGHTLY + "retries: 1\n", "new.yaml": ONCE})
        found = plan(ctx, [folder], prune=True)
        assert [one.name for one in found.created] == ["new"]
        assert [one.name for one in found.updated] == ["nightly"]
        assert found.pruned == ("old",)
        assert content(ctx) == before

    def test_a_dry_run_leaves_every_byte_as_it_was(self, ctx: Context, tmp_path: Path) -> None:
        folder = write(tmp_path / "jobs.d", {"nightly.yaml": NIGHTLY})
        with opened(str(tmp_path / "q.db"), create=True, environ={}) as own:
            apply(own, [folder])
        before = hashlib.sha256((tmp_path / "q.db").read_bytes()).hexdigest()
        write(folder, {"nightly.yaml": NIGHTLY + "retries: 1\n"})
        with opened(str(tmp_path / "q.db"), create=False, environ={}) as own:
            assert plan(own, [folder]).changes_anything
        assert hashlib.sha256((tmp_path / "q.db").read_bytes()).hexdigest() == before

    def test_validate_and_a_dry_run_need_no_queue(self, tmp_path: Path) -> None:
        folder = write(tmp_path / "jobs.d", {"a.yaml": "command: a | b\n", "x.txt": ""})
        found = validate([folder], Config(), now=NOON)
        assert ([one.spec.name for one in found.specs], found.ignored) == (["a"], (f"{folder}/x.txt",))
        assert len(found.warnings) == 1
        with opened(str(tmp_path / "q.db"), create=False, environ={}) as none:
            assert [one.name for one in plan(none, [folder]).created] == ["a"]
        assert not (tmp_path / "q.db").exists()


class TestOnceAgain:
    """A spec without a schedule, applied again after a change, by the state of its last job."""

    @pytest.mark.parametrize("state", [JobState.PENDING, JobState.FAILED])
    def test_a_waiting_job_is_updated_in_place(self, ctx: Context, tmp_path: Path, state: JobState) -> None:
        apply_files(ctx, tmp_path / "d", {"once.yaml": ONCE})
        job = run_to(ctx, state, "once")
        (planned,) = apply_files(ctx, tmp_path / "d", {"once.yaml": "command: migrate --all\n"}).plan.updated
        again = newest(ctx, "once")
        assert planned.job_action == f"job {job.id}, which waits, is updated"
        assert (again.id, again.state, again.run_at) == (job.id, state, job.run_at)
        assert (again.frozen.command, again.spec_version) == ("migrate --all", 2)

    @pytest.mark.parametrize("state", [JobState.DEAD, JobState.CANCELLED])
    def test_a_dead_or_cancelled_one_goes_back_to_pending(
        self, ctx: Context, tmp_path: Path, state: JobState
    ) -> None:
        apply_files(ctx, tmp_path / "d", {"once.yaml": ONCE})
        job = run_to(ctx, state, "once")
        (planned,) = apply_files(ctx, tmp_path / "d", {"once.yaml": "command: migrate --all\n"}).plan.updated
        again = newest(ctx, "once")
        assert planned.job_action == f"job {job.id} goes back to pending"
        assert (again.id, again.state, again.failures) == (job.id, JobState.PENDING, 0)
        assert (again.frozen.command, again.spec_version) == ("migrate --all", 2)

    def test_a_dead_one_may_have_to_wait_for_its_new_run_at(self, ctx: Context, tmp_path: Path) -> None:
        apply_files(ctx, tmp_path / "d", {"once.yaml": ONCE})
        job = run_to(ctx, JobState.DEAD, "once")
        text = ONCE + "run_at: 2026-06-01T13:00:00Z\n"
        (planned,) = apply_files(ctx, tmp_path / "d", {"once.yaml": text}).plan.updated
        again = newest(ctx, "once")
        assert planned.job_action == f"job {job.id} goes back to scheduled at 2026-06-01T13:00:00Z"
        assert (again.id, again.state, again.run_at) == (job.id, JobState.SCHEDULED, NOON + HOUR)

    def test_a_running_one_is_followed(self, ctx: Context, tmp_path: Path) -> None:
        apply_files(ctx, tmp_path / "d", {"once.yaml": ONCE})
        job = run_to(ctx, JobState.PROCESSING, "once")
        (planned,) = apply_files(ctx, tmp_path / "d", {"once.yaml": "command: migrate --all\n"}).plan.updated
        follower = newest(ctx, "once")
        assert planned.job_action == f"runs once, after job {job.id} which runs now"
        assert (follower.state, follower.reason) == (
            JobState.BLOCKED,
            f"waits for job {job.id} of the same spec",
        )
        running = ctx.store.jobs.get(job.id)
        assert running == job  # it keeps what it started with
        ctx.store.jobs.promote(now=NOON)
        assert newest(ctx, "once").state is JobState.BLOCKED
        finish(ctx, job, JobState.COMPLETED)
        ctx.store.jobs.promote(now=NOON)
        assert newest(ctx, "once").state is JobState.PENDING

    def test_a_second_change_meanwhile_goes_to_the_follower(self, ctx: Context, tmp_path: Path) -> None:
        apply_files(ctx, tmp_path / "d", {"once.yaml": ONCE})
        run_to(ctx, JobState.PROCESSING, "once")
        apply_files(ctx, tmp_path / "d", {"once.yaml": "command: second\n"})
        follower = newest(ctx, "once")
        apply_files(ctx, tmp_path / "d", {"once.yaml": "command: third\n"})
        assert (newest(ctx, "once").id, newest(ctx, "once").frozen.command) == (follower.id, "third")
        assert len(ctx.store.jobs.list()) == 2

    def test_a_completed_one_is_history_and_a_new_one_is_made(self, ctx: Context, tmp_path: Path) -> None:
        apply_files(ctx, tmp_path / "d", {"once.yaml": ONCE})
        job = run_to(ctx, JobState.COMPLETED, "once")
        apply_files(ctx, tmp_path / "d", {"once.yaml": "command: migrate --all\n"})
        again = newest(ctx, "once")
        assert again.id > job.id
        assert (again.state, again.frozen.command, again.spec_version) == (
            JobState.PENDING,
            "migrate --all",
            2,
        )

    @pytest.mark.parametrize("state", [JobState.COMPLETED, JobState.DEAD])
    def test_a_purged_one_is_remembered_and_a_change_makes_a_new_one(
        self, ctx: Context, tmp_path: Path, state: JobState
    ) -> None:
        apply_files(ctx, tmp_path / "d", {"once.yaml": ONCE})
        job = run_to(ctx, state, "once")
        ctx.store.history.forget([job.id])
        apply_files(ctx, tmp_path / "d", {"once.yaml": ONCE + "retries: 1\n"})
        assert ctx.store.jobs.list() == []
        apply_files(ctx, tmp_path / "d", {"once.yaml": "command: migrate --all\n"})
        assert newest(ctx, "once").state is JobState.PENDING

    def test_an_older_job_is_no_substitute_for_a_purged_one(self, ctx: Context, tmp_path: Path) -> None:
        apply_files(ctx, tmp_path / "d", {"once.yaml": ONCE})
        dead = run_to(ctx, JobState.DEAD, "once")
        trigger(ctx, ["once"])
        ctx.store.history.forget([run_to(ctx, JobState.COMPLETED, "once").id])
        apply_files(ctx, tmp_path / "d", {"once.yaml": "command: migrate --all\n"})
        assert newest(ctx, "once").id > dead.id
        assert ctx.store.jobs.get(dead.id) == dead

    @pytest.mark.parametrize("state", sorted(JobState))
    def test_what_says_nothing_about_what_it_does_runs_nothing(
        self, ctx: Context, tmp_path: Path, state: JobState
    ) -> None:
        first = ONCE + ("run_at: 2026-06-01T13:00:00Z\n" if state is JobState.SCHEDULED else "")
        if state is JobState.BLOCKED:
            apply_files(ctx, tmp_path / "d", {"once.yaml": "command: before\n"})
            run_to(ctx, JobState.PROCESSING, "once")
        apply_files(ctx, tmp_path / "d", {"once.yaml": first})
        if state not in {JobState.SCHEDULED, JobState.BLOCKED}:
            run_to(ctx, state, "once")
        job = newest(ctx, "once")
        assert job.state is state
        (planned,) = apply_files(ctx, tmp_path / "d", {"once.yaml": first + "priority: 7\n"}).plan.updated
        again = newest(ctx, "once")
        assert planned.job_action is None
        assert (again.id, again.state, again.run_at) == (job.id, state, job.run_at)
        assert again.priority == (7 if state in WAITING else 0)
        assert stored(ctx, "once").version == planned.held.version + 1  # type: ignore[union-attr]

    def test_a_changed_run_at_moves_the_waiting_job(self, ctx: Context, tmp_path: Path) -> None:
        apply_files(ctx, tmp_path / "d", {"once.yaml": ONCE + "run_at: 2026-06-01T13:00:00Z\n"})
        first = newest(ctx, "once")
        for line, state, due in [
            ("run_at: 2026-06-01T14:00:00Z\n", JobState.SCHEDULED, NOON + 2 * HOUR),
            ("", JobState.PENDING, NOON),
            ("run_at: 2026-06-01T15:00:00Z\n", JobState.SCHEDULED, NOON + 3 * HOUR),
            ("run_at: 2020-06-01T15:00:00Z\n", JobState.PENDING, NOON),
        ]:
            apply_files(ctx, tmp_path / "d", {"once.yaml": ONCE + line})
            job = newest(ctx, "once")
            assert (job.id, job.state, job.run_at) == (first.id, state, due)

    def test_a_paused_one_makes_no_job_until_it_is_unpaused_in_its_file(
        self, ctx: Context, tmp_path: Path
    ) -> None:
        apply_files(ctx, tmp_path / "d", {"once.yaml": ONCE + "paused: true\n"})
        apply_files(ctx, tmp_path / "d", {"once.yaml": "command: other\npaused: true\n"})
        assert ctx.store.jobs.list() == []
        apply_files(ctx, tmp_path / "d", {"once.yaml": "command: other\n"})
        assert newest(ctx, "once").frozen.command == "other"
        run_to(ctx, JobState.COMPLETED, "once")
        for text in ("command: other\npaused: true\n", "command: other\n"):
            apply_files(ctx, tmp_path / "d", {"once.yaml": text})
        assert len(ctx.store.jobs.list()) == 1

    def test_changed_back_and_forth_it_runs_each_time(self, ctx: Context, tmp_path: Path) -> None:
        for command in ("a", "b", "a"):
            apply_files(ctx, tmp_path / "d", {"once.yaml": f"command: {command}\n"})
            run_to(ctx, JobState.COMPLETED, "once")
        assert [job.frozen.command for job in ctx.store.jobs.list()] == ["a", "b", "a"]


class TestSchedules:
    def test_a_changed_schedule_counts_from_now(self, ctx: Context, tmp_path: Path, clock: Clock) -> None:
        apply_files(ctx, tmp_path / "d", {"n.yaml": NIGHTLY})
        clock.pass_by(HOUR)
        (planned,) = apply_files(ctx, tmp_path / "d", {"n.yaml": NIGHTLY.replace("0 2", "0 5")}).plan.updated
        assert planned.next_fire_at == stored(ctx, "n").next_due_at == NOON + 17 * HOUR
        assert [(one.field, one.old, one.new) for one in planned.changes] == [
            ("schedule.cron", "0 2 * * *", "0 5 * * *")
        ]

    def test_another_time_zone_counts_from_now(self, ctx: Context, tmp_path: Path) -> None:
        apply_files(ctx, tmp_path / "d", {"n.yaml": NIGHTLY})
        apply_files(ctx, tmp_path / "d", {"n.yaml": NIGHTLY + "timezone: Europe/Berlin\n"})
        assert stored(ctx, "n").next_due_at == NOON + 12 * HOUR

    def test_any_other_change_leaves_the_next_fire(self, ctx: Context, tmp_path: Path, clock: Clock) -> None:
        apply_files(ctx, tmp_path / "d", {"n.yaml": NIGHTLY})
        due = stored(ctx, "n").next_due_at
        clock.pass_by(20 * HOUR)  # nothing ran when it was due
        apply_files(ctx, tmp_path / "d", {"n.yaml": NIGHTLY.replace("dump", "dump --fast")})
        assert (stored(ctx, "n").next_due_at, stored(ctx, "n").version) == (due, 2)

    def test_another_jitter_moves_the_fire_and_not_the_due_instant(
        self, ctx: Context, tmp_path: Path
    ) -> None:
        text = "command: t\nschedule: {cron: '0 2 * * *', jitter: %s}\n"
        apply_files(ctx, tmp_path / "d", {"n.yaml": text % "30m"})
        before = stored(ctx, "n")
        apply_files(ctx, tmp_path / "d", {"n.yaml": text % "0s"})
        after = stored(ctx, "n")
        assert after.next_due_at == before.next_due_at == after.next_fire_at != before.next_fire_at

    def test_what_was_due_before_a_changed_schedule_is_fired(
        self, ctx: Context, tmp_path: Path, clock: Clock
    ) -> None:
        apply_files(ctx, tmp_path / "d", {"n.yaml": NIGHTLY})
        clock.pass_by(14 * HOUR + 300)
        apply_files(ctx, tmp_path / "d", {"n.yaml": NIGHTLY.replace("0 2", "30 2")})
        (fire,) = ctx.store.fires.list()
        assert (fire.due_at, fire.outcome) == (NOON + 14 * HOUR, FireOutcome.FIRED)
        assert newest(ctx, "n").id == fire.job_id
        assert stored(ctx, "n").next_due_at == NOON + 14 * HOUR + HOUR // 2

    def test_a_changed_command_reaches_the_waiting_jobs_and_not_the_running_one(
        self, ctx: Context, tmp_path: Path
    ) -> None:
        apply_files(ctx, tmp_path / "d", {"n.yaml": NIGHTLY})
        trigger(ctx, ["n"])
        running = run_to(ctx, JobState.PROCESSING, "n")
        trigger(ctx, ["n"])
        apply_files(ctx, tmp_path / "d", {"n.yaml": NIGHTLY.replace("dump", "dump --fast")})
        assert ctx.store.jobs.get(running.id) == running
        waiting = newest(ctx, "n")
        assert (waiting.state, waiting.frozen.command, waiting.spec_version) == (
            JobState.PENDING,
            "dump --fast",
            2,
        )

    def test_unpausing_by_file_records_what_was_left_out(
        self, ctx: Context, tmp_path: Path, clock: Clock
    ) -> None:
        text = "command: t\nschedule: '0 * * * *'\n"
        apply_files(ctx, tmp_path / "d", {"n.yaml": text + "paused: true\n"})
        clock.pass_by(5 * HOUR + 1)
        apply_files(ctx, tmp_path / "d", {"n.yaml": text})
        (fire,) = ctx.store.fires.list()
        assert (fire.outcome, fire.due_at, fire.until, fire.count) == (
            FireOutcome.PAUSED,
            NOON + HOUR,
            NOON + 5 * HOUR,
            5,
        )
        assert stored(ctx, "n").next_due_at == NOON + 6 * HOUR
        assert ctx.store.jobs.list() == []

    def test_pausing_by_file_fires_what_was_due_before(
        self, ctx: Context, tmp_path: Path, clock: Clock
    ) -> None:
        apply_files(ctx, tmp_path / "d", {"n.yaml": NIGHTLY})
        clock.pass_by(14 * HOUR + 300)
        apply_files(ctx, tmp_path / "d", {"n.yaml": NIGHTLY + "paused: true\n"})
        assert newest(ctx, "n").fire_at == NOON + 14 * HOUR
        assert stored(ctx, "n").next_due_at == NOON + 38 * HOUR

    def test_from_once_to_a_schedule(self, ctx: Context, tmp_path: Path) -> None:
        apply_files(ctx, tmp_path / "d", {"n.yaml": "command: dump\nrun_at: 2030-01-01T00:00:00Z\n"})
        apply_files(ctx, tmp_path / "d", {"n.yaml": NIGHTLY})
        job = newest(ctx, "n")
        assert (job.state, job.reason) == (JobState.CANCELLED, "its spec has a schedule now")
        assert stored(ctx, "n").next_due_at == NOON + 14 * HOUR

    def test_from_a_schedule_to_once(self, ctx: Context, tmp_path: Path) -> None:
        apply_files(ctx, tmp_path / "d", {"n.yaml": NIGHTLY})
        pause(ctx, "n")
        apply_files(ctx, tmp_path / "d", {"n.yaml": "command: dump\n"})
        spec = stored(ctx, "n")
        assert (spec.next_due_at, spec.next_fire_at, spec.paused) == (None, None, False)
        assert newest(ctx, "n").state is JobState.PENDING


class TestGone:
    def test_what_left_the_files_keeps_running_and_every_apply_says_so(
        self, ctx: Context, tmp_path: Path
    ) -> None:
        apply_files(ctx, tmp_path / "d", ONCE_AND_NIGHTLY)
        for _ in range(2):
            done = apply_files(ctx, tmp_path / "d", {"a.yaml": ONCE})
            assert (done.plan.orphaned, done.apply_id) == (("b",), None)
            assert (stored(ctx, "b").orphaned, stored(ctx, "b").next_due_at) == (True, NOON + 14 * HOUR)
        done = apply_files(ctx, tmp_path / "d", ONCE_AND_NIGHTLY)
        assert [one.name for one in done.plan.updated] == ["b"]
        assert (stored(ctx, "b").orphaned, stored(ctx, "b").version) == (False, 1)

    def test_pruned_the_waiting_are_cancelled_the_running_finish_the_dead_stay(
        self, ctx: Context, tmp_path: Path
    ) -> None:
        apply_files(ctx, tmp_path / "d", {"b.yaml": NIGHTLY, "z.yaml": NIGHTLY})
        for state in (JobState.DEAD, JobState.PROCESSING, JobState.PENDING):
            trigger(ctx, ["b"])
            run_to(ctx, state, "b")
        done = apply_files(ctx, tmp_path / "d", {"z.yaml": NIGHTLY}, prune=True)
        waiting, running, dead = ctx.store.jobs.list()
        assert (done.plan.pruned, done.plan.orphaned) == (("b",), ())
        assert (waiting.state, waiting.reason) == (JobState.CANCELLED, "its spec was pruned")
        assert (running.state, running.cancel_requested_at) == (JobState.PROCESSING, None)
        assert dead.state is JobState.DEAD
        assert [one.name for one in ctx.store.specs.list()] == ["z"]
        assert ctx.store.specs.due(now=NOON + 100 * HOUR)[0].name == "z"

    def test_what_has_run_is_remembered_through_a_prune(self, ctx: Context, tmp_path: Path) -> None:
        apply_files(ctx, tmp_path / "d", ONCE_AND_NIGHTLY)
        run_to(ctx, JobState.COMPLETED, "a")
        apply_files(ctx, tmp_path / "d", {"b.yaml": NIGHTLY}, prune=True)
        (back,) = apply_files(ctx, tmp_path / "d", ONCE_AND_NIGHTLY).plan.created
        assert (back.name, back.job_action, stored(ctx, "a").version) == ("a", None, 2)
        assert len(ctx.store.jobs.list()) == 1

    def test_what_a_prune_kept_from_running_runs_when_it_is_back(self, ctx: Context, tmp_path: Path) -> None:
        apply_files(ctx, tmp_path / "d", ONCE_AND_NIGHTLY)
        apply_files(ctx, tmp_path / "d", {"b.yaml": NIGHTLY}, prune=True)
        assert newest(ctx, "a").state is JobState.CANCELLED
        apply_files(ctx, tmp_path / "d", ONCE_AND_NIGHTLY)
        assert newest(ctx, "a").state is JobState.PENDING
        assert len(ctx.store.jobs.list()) == 1

    def test_a_schedule_that_is_back_counts_from_then(
        self, ctx: Context, tmp_path: Path, clock: Clock
    ) -> None:
        apply_files(ctx, tmp_path / "d", ONCE_AND_NIGHTLY)
        pause(ctx, "b")
        delete(ctx, "b")
        clock.pass_by(48 * HOUR)
        apply_files(ctx, tmp_path / "d", ONCE_AND_NIGHTLY)
        assert (stored(ctx, "b").next_due_at, stored(ctx, "b").paused) == (NOON + 62 * HOUR, False)
        assert ctx.store.fires.list() == []

    @pytest.mark.parametrize("files", [{}, {"notes.txt": "nothing"}])
    def test_an_empty_folder_never_prunes_everything(
        self, ctx: Context, tmp_path: Path, files: dict[str, str]
    ) -> None:
        apply_files(ctx, tmp_path / "d", ONCE_AND_NIGHTLY)
        before = content(ctx)
        with pytest.raises(ConflictError, match=r"no spec found there, so that all 2 .*--allow-empty"):
            apply_files(ctx, tmp_path / "d", files, prune=True)
        with pytest.raises(ConflictError, match="--allow-empty"):
            plan(ctx, [tmp_path / "d"], prune=True)
        assert content(ctx) == before
        assert apply(ctx, [tmp_path / "d"]).plan.orphaned == ("a", "b")
        assert apply(ctx, [tmp_path / "d"], prune=True, allow_empty=True).plan.pruned == ("a", "b")
        assert ctx.store.specs.list() == []

    def test_a_missing_folder_is_an_error_whatever_is_allowed(self, ctx: Context, tmp_path: Path) -> None:
        apply_files(ctx, tmp_path / "d", ONCE_AND_NIGHTLY)
        before = content(ctx)
        with pytest.raises(InvalidSpecError, match="no such file or folder"):
            apply(ctx, [tmp_path / "typo"], source=str(tmp_path / "d"), prune=True, allow_empty=True)
        assert content(ctx) == before

    def test_a_wrong_folder_prunes_nothing_of_another_source(self, ctx: Context, tmp_path: Path) -> None:
        apply_files(ctx, tmp_path / "d", ONCE_AND_NIGHTLY)
        done = apply_files(ctx, tmp_path / "other", {"c.yaml": ONCE}, prune=True)
        assert done.plan.pruned == ()
        assert len(ctx.store.specs.list()) == 3

    def test_a_prune_asks_first(self, ctx: Context, tmp_path: Path) -> None:
        apply_files(ctx, tmp_path / "d", ONCE_AND_NIGHTLY)
        before = content(ctx)
        folder = write(tmp_path / "d", {"b.yaml": NIGHTLY + "retries: 1\n"})
        asked: list[Plan] = []

        def say_no(found: Plan) -> bool:
            asked.append(found)
            return False

        refused = apply(ctx, [folder], prune=True, confirm=say_no)
        assert (refused.apply_id, asked[0].pruned) == (None, ("a",))
        assert content(ctx) == before
        assert apply(ctx, [folder], prune=True, confirm=lambda _: True).apply_id is not None

    def test_nothing_is_asked_where_nothing_is_pruned(self, ctx: Context, tmp_path: Path) -> None:
        folder = write(tmp_path / "d", ONCE_AND_NIGHTLY)
        assert apply(ctx, [folder], prune=True, confirm=lambda _: pytest.fail("asked")).apply_id is not None

    def test_what_nobody_was_asked_about_is_not_pruned(self, ctx: Context, tmp_path: Path) -> None:
        apply_files(ctx, tmp_path / "d", ONCE_AND_NIGHTLY)
        (tmp_path / "d" / "a.yaml").unlink()

        def another_apply_comes_first(_: Plan) -> bool:
            more = write(tmp_path / "more", {"a.yaml": ONCE, "b.yaml": NIGHTLY, "c.yaml": NIGHTLY})
            apply(ctx, [more], source=str(tmp_path / "d"), adopt=True)
            return True

        with pytest.raises(ConflictError, match="changed meanwhile"):
            apply(ctx, [tmp_path / "d"], prune=True, confirm=another_apply_comes_first)
        assert len(ctx.store.specs.list()) == 3

    def test_what_the_queue_holds_under_the_lock_is_what_counts(self, ctx: Context, tmp_path: Path) -> None:
        apply_files(ctx, tmp_path / "d", {"old.yaml": NIGHTLY, "kept.yaml": NIGHTLY})
        mine = {"kept.yaml": NIGHTLY + "cwd: /\n", "new.yaml": NIGHTLY + "cwd: /\n"}
        other = {"kept.yaml": "command: other\n", "new.yaml": "command: other\n", "old.yaml": NIGHTLY}

        def another_apply_comes_first(_: Plan) -> bool:
            return (
                apply(ctx, [write(tmp_path / "more", other)], source=str(tmp_path / "d")).apply_id is not None
            )

        done = apply(ctx, [write(tmp_path / "d", mine)], prune=True, confirm=another_apply_comes_first)
        assert [one.name for one in done.plan.updated] == ["kept", "new"]
        assert {one.name: one.spec.command for one in ctx.store.specs.list()} == {
            "kept": "dump",
            "new": "dump",
        }
        assert all(
            job.state is JobState.CANCELLED or job.frozen.command == "dump" for job in ctx.store.jobs.list()
        )

    def test_with_nothing_to_do_the_queue_is_not_locked(self, ctx: Context, tmp_path: Path) -> None:
        apply_files(ctx, tmp_path / "d", ONCE_AND_NIGHTLY)
        with opened(str(ctx.path), create=False, environ={}) as writer, writer.store.transaction():
            ctx.store.database.wait_for_lock(0)
            assert apply(ctx, [tmp_path / "d"]).plan.unchanged == 2
            with pytest.raises(StoreBusyError):
                apply_files(ctx, tmp_path / "d", {"a.yaml": ONCE + "retries: 1\n"})


class TestSources:
    def test_a_name_of_another_source_is_refused_unless_it_is_adopted(
        self, ctx: Context, tmp_path: Path
    ) -> None:
        apply_files(ctx, tmp_path / "d", {"a.yaml": NIGHTLY, "b.yaml": NIGHTLY})
        folder = write(tmp_path / "e", {"a.yaml": NIGHTLY + "cwd: /\n"})
        with pytest.raises(ConflictError, match=rf"'a': held by the source '{tmp_path}/d'.*--adopt moves it"):
            apply(ctx, [folder])
        (moved,) = apply(ctx, [folder], adopt=True).plan.updated
        assert ("source", f"{tmp_path}/d", f"{tmp_path}/e") in [
            (one.field, one.old, one.new) for one in moved.changes
        ]
        assert stored(ctx, "a").source == str(tmp_path / "e")
        assert apply_files(ctx, tmp_path / "d", {"b.yaml": NIGHTLY}).plan.orphaned == ()

    def test_adopted_as_it_was_it_keeps_its_version(self, ctx: Context, tmp_path: Path) -> None:
        apply_files(ctx, tmp_path / "d", {"a.yaml": NIGHTLY + "cwd: /\n"})
        apply(ctx, [write(tmp_path / "e", {"x.yaml": "name: a\n" + NIGHTLY + "cwd: /\n"})], adopt=True)
        spec = stored(ctx, "a")
        assert (spec.source, spec.file, spec.version) == (str(tmp_path / "e"), "e/x.yaml", 1)

    def test_one_file_of_a_folder_orphans_and_prunes_nothing(self, ctx: Context, tmp_path: Path) -> None:
        files = {"a.yaml": NIGHTLY, "deep/er/b.yaml": NIGHTLY}
        apply_files(ctx, tmp_path / "d", files)
        for part in files:
            done = apply(ctx, [tmp_path / "d" / part], prune=True)
            assert (done.plan.source, done.apply_id, done.plan.unchanged) == (str(tmp_path / "d"), None, 1)
            assert (done.plan.pruned, done.plan.orphaned) == ((), ())
        (tmp_path / "d/deep/er/b.yaml").write_text(NIGHTLY + "retries: 1\n")
        (changed,) = apply(ctx, [tmp_path / "d/deep/er/b.yaml"]).plan.updated
        assert [one.field for one in changed.changes] == ["retries"]
        assert stored(ctx, "b").file == "d/deep/er/b.yaml"

    def test_a_named_source_is_the_same_from_anywhere(self, ctx: Context, tmp_path: Path) -> None:
        for place in ("here", "there"):
            folder = write(tmp_path / place / "jobs.d", {"a.yaml": NIGHTLY + "cwd: /\n"})
            done = apply(ctx, [folder], source="infra")
        assert (done.plan.unchanged, stored(ctx, "a").source) == (1, "infra")

    def test_a_checkout_has_the_same_source_on_every_machine_and_the_commit_is_recorded(
        self, ctx: Context, tmp_path: Path
    ) -> None:
        folder = write(tmp_path / "infra" / "jobs.d", {"a.yaml": NIGHTLY, "b.yaml": NIGHTLY})
        git = ["git", "-C", str(tmp_path / "infra"), "-c", "user.name=A", "-c", "user.email=a@b"]
        subprocess.run([*git, "init", "-q"], check=True)
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, "commit", "-q", "-m", "jobs"], check=True)
        head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout
        done = apply(ctx, [folder])
        record = ctx.store.specs.apply_record(done.apply_id or 0)
        assert record is not None
        assert (record.source, record.who, record.at) == ("infra/jobs.d", "ada@mill", NOON)
        assert (record.git_commit, record.git_dirty) == (head.strip(), False)
        (folder / "a.yaml").write_text(NIGHTLY + "retries: 1\n")
        record = ctx.store.specs.apply_record(apply(ctx, [folder]).apply_id or 0)
        assert record is not None
        assert (record.git_commit, record.git_dirty) == (head.strip(), True)

    def test_outside_of_a_checkout_no_commit_is_recorded(self, ctx: Context, tmp_path: Path) -> None:
        done = apply_files(ctx, tmp_path / "d", {"a.yaml": NIGHTLY})
        record = ctx.store.specs.apply_record(done.apply_id or 0)
        assert record is not None
        assert (record.git_commit, record.git_dirty) == (None, None)


def _apply_often(db: str, folder: str, rounds: int) -> None:
    for _ in range(rounds):
        with opened(db, create=True, environ={}) as ctx:
            apply(ctx, [Path(folder)], source="both", prune=True)


def test_of_two_applies_at_once_one_is_last_and_whole(tmp_path: Path) -> None:
    sets = {
        "a": {f"s{n}.yaml": f"command: a{n}\ncwd: /\n" for n in range(12)},
        "b": {f"s{n}.yaml": f"command: b{n}\ncwd: /\nschedule: '0 2 * * *'\n" for n in range(6, 18)},
    }
    db = str(tmp_path / "q.db")
    (tmp_path / ".git").mkdir()  # git is asked between the first plan and the lock: time for the other one
    folders = {name: write(tmp_path / name / "jobs.d", files) for name, files in sets.items()}
    spawn = multiprocessing.get_context("spawn")
    appliers = [spawn.Process(target=_apply_often, args=(db, str(folder), 10)) for folder in folders.values()]
    for applier in appliers:
        applier.start()
    for applier in appliers:
        applier.join(timeout=50)
        assert applier.exitcode == 0
    with opened(db, create=False, environ={}) as ctx:
        commands = {one.name: one.spec.command for one in ctx.store.specs.list()}
        assert commands in (
            {f"s{n}": f"a{n}" for n in range(12)},
            {f"s{n}": f"b{n}" for n in range(6, 18)},
        )
        for one in ctx.store.specs.list():
            assert (one.next_due_at is None) == (one.spec.schedule is None)
        open_jobs = [job for job in ctx.store.jobs.list(limit=10_000) if job.state not in FINAL]
        assert {job.spec for job in open_jobs} <= set(commands)
        assert all(job.frozen.command == commands[job.spec or ""] for job in open_jobs)
        per_spec = [job.spec for job in open_jobs]
        assert len(per_spec) == len(set(per_spec))
