"""E: clocks that jump, cron expressions, time zones, and schedulers that stall or die."""

from __future__ import annotations

import os
import re
import signal
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import apsw
import pytest

from queuectl.model.fire import Fire
from queuectl.model.job import Job
from queuectl.model.spec import Schedule
from queuectl.model.states import FireOutcome, JobState, Outcome, Overlap
from queuectl.rules.instants import format_instant, parse_instant
from queuectl.store.listing import JobFilter
from tests.command import Queuectl
from tests.engine.simulation import START, FakeClock, Simulation
from tests.faults.pace import KILL_AFTER_S, SLACK_S
from tests.faults.tampering import WallClock, with_zone_data, without_zone_data
from tests.faults.tracing import killed_at_each

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
GOLDEN = Path(__file__).parents[1] / "rules" / "golden" / "cron.txt"
FIRED, CAUGHT_UP, MISSED, SKIPPED = (
    FireOutcome.FIRED,
    FireOutcome.CAUGHT_UP,
    FireOutcome.MISSED,
    FireOutcome.SKIPPED,
)


@pytest.fixture
def clock(queuectl: Queuectl) -> WallClock:
    """The wall clock of all commands."""
    return WallClock(queuectl)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "simulated.db"


class TestTheWallClockJumps:
    def test_e01_an_hour_back_while_two_workers_run(self, queuectl: Queuectl, clock: WallClock) -> None:
        slow_lease(queuectl)
        clock.set("2026-05-04T10:00:05Z")
        schedule(queuectl, "beat", "{every: 300ms}")
        schedule(queuectl, "minutely", "'* * * * *'")
        queuectl("apply", "jobs.d")
        queuectl("enqueue", "exec sleep 60", "--timeout", "3s", "--max-retries", "0", "--key", "long")
        for _ in range(2):
            queuectl.start("run", "--slots", "4")
        queuectl.wait_until(lambda: state(queuectl, "long") == "processing", "the long job starts")
        since = time.monotonic()
        clock.set("2026-05-04T10:01:00Z")
        queuectl.wait_until(lambda: ledger(queuectl, "minutely"), "the minute is over")

        clock.step(-HOUR)
        before = len(ledger(queuectl, "beat"))
        queuectl.wait_until(lambda: len(ledger(queuectl, "beat")) >= before + 3, "schedules go on")
        queuectl.wait_until(lambda: state(queuectl, "long") == "dead", "the time-out comes when it is due")
        assert time.monotonic() - since < 3 + KILL_AFTER_S + SLACK_S
        queuectl("enqueue", "true", "--delay", "300ms", "--key", "later")
        queuectl.wait_until(lambda: state(queuectl, "later") == "completed", "new delays are as they say")

        assert outcomes(queuectl, "long") == ["timed_out"]
        assert [fire.outcome for fire in ledger(queuectl, "minutely")] == [FIRED], "no minute comes twice"
        assert len(jobs_of(queuectl, "minutely")) == 1
        assert len(queuectl.json("worker", "list")) == 2

    def test_e01_no_wait_is_counted_on_the_wall_clock(self, path: Path) -> None:
        clock = FakeClock()
        worker = Simulation(path, clock=clock)
        worker.add(state=JobState.SCHEDULED, in_ms=10 * SECOND)
        worker.settle()
        clock.jump = -HOUR
        assert worker.settle(after_ms=SECOND) <= worker.config.poll_interval
        worker.settle(after_ms=10 * SECOND)
        assert worker.states() == {1: "processing"}

    @pytest.mark.parametrize("ahead", [MINUTE, 0], ids=["in step", "out of step"])
    def test_e01_every_goes_on_after_an_hour_back(self, path: Path, ahead: int) -> None:
        clock = FakeClock()
        worker = Simulation(path, clock=clock)
        worker.add_spec("often", Schedule(every_ms=10 * MINUTE))
        run_for(worker, HOUR)
        before = len(worker.store.jobs.list(limit=1000))
        clock.jump = -HOUR - ahead
        run_for(worker, HOUR)
        after = worker.store.fires.list(limit=1000)
        assert len(worker.store.jobs.list(limit=1000)) == len(after)
        assert before + 5 <= len(after) <= before + 7, "as many as in any other hour"

    def test_e02_three_days_ahead_while_two_workers_run(self, queuectl: Queuectl, clock: WallClock) -> None:
        slow_lease(queuectl)
        clock.set("2026-05-04T10:30:00Z")
        schedule(queuectl, "hourly", "'0 * * * *'")
        schedule(queuectl, "often", "{every: 10m}")
        queuectl("apply", "jobs.d")
        queuectl("enqueue", "exec sleep 60", "--key", "long")
        workers = [queuectl.start("run", "--slots", "4") for _ in range(2)]
        queuectl.wait_until(lambda: state(queuectl, "long") == "processing", "the long job starts")
        queuectl.wait_until(lambda: ran(queuectl, "often", 1), "it is due at its first apply")

        clock.step(3 * DAY)
        queuectl.wait_until(lambda: ran(queuectl, "hourly", 1), "what was missed is made up for")
        queuectl.wait_until(lambda: ran(queuectl, "often", 2), "once, too")
        pulse(queuectl, "settled")
        assert [(fire.outcome, fire.count) for fire in ledger(queuectl, "hourly")] == [
            (MISSED, 71),
            (CAUGHT_UP, 1),
        ]
        assert len(jobs_of(queuectl, "hourly")) == 1
        assert len(jobs_of(queuectl, "often")) == 2
        assert outcomes(queuectl, "long") == [None], "nobody was held for dead"
        assert {worker.poll() for worker in workers} == {None}

    @pytest.mark.parametrize("corrected", [True, False])
    def test_e02_a_clock_far_ahead_forgets_no_history_at_once(self, path: Path, corrected: bool) -> None:
        clock = FakeClock()
        worker = Simulation(path, clock=clock)
        worker.add(retries=0)
        worker.settle()
        worker.spawner.end((1, 1), Outcome.FAILED)
        worker.settle()
        clock.jump = 1000 * DAY
        worker.settle(after_ms=2 * MINUTE)
        assert worker.states() == {1: "dead"}
        if corrected:
            clock.jump = 0
        worker.settle(after_ms=2 * HOUR)
        assert worker.states() == ({1: "dead"} if corrected else {}), "in the end it is believed"


class TestAWrongClockIsCorrected:
    def test_e03_nothing_stays_in_2100(self, queuectl: Queuectl, clock: WallClock) -> None:
        clock.set("2100-01-01T12:00:00Z")
        schedule(queuectl, "quarterly", "{every: 15m}")
        schedule(queuectl, "nightly", "'0 2 * * *'")
        queuectl("apply", "jobs.d")
        queuectl("enqueue", "true", "--delay", "1s", "--key", "delayed")
        queuectl("enqueue", "true", "--run-at", "2100-02-01T00:00:00Z", "--key", "asked")

        clock.set("2026-05-04T10:00:00Z")
        queuectl.start("run")
        queuectl.wait_until(lambda: state(queuectl, "delayed") == "completed", "the delay counts from now")
        queuectl.wait_until(lambda: jobs_of(queuectl, "quarterly"), "its first fire is due")
        due = {one["spec"]: one["due_at"] for one in queuectl.json("next")}
        assert due["nightly"] == "2026-05-05T02:00:00Z"
        assert "2026-05-04T10:1" <= due["quarterly"] <= "2026-05-04T10:16"
        asked = queuectl.json("get", "asked")
        assert (asked["state"], asked["run_at"]) == ("scheduled", "2100-02-01T00:00:00Z")

    def test_e03_a_clock_that_began_in_1970(self, queuectl: Queuectl, clock: WallClock) -> None:
        clock.set("1970-01-01T00:00:10Z")
        schedule(queuectl, "quarterly", "{every: 15m}")
        schedule(queuectl, "nightly", "'0 2 * * *'")
        queuectl("apply", "jobs.d")
        queuectl("enqueue", "exit 1", "--max-retries", "0", "--key", "died")
        queuectl.start("run")
        queuectl.wait_until(lambda: state(queuectl, "died") == "dead", "it runs in 1970")
        queuectl.wait_until(lambda: ran(queuectl, "quarterly", 1), "and fires")

        clock.set("2026-05-04T10:05:00Z")
        queuectl.wait_until(lambda: ran(queuectl, "quarterly", 2), "one for 56 years")
        queuectl.wait_until(lambda: ran(queuectl, "nightly", 1), "one for 20,000 nights")
        clock.step(15 * MINUTE)
        queuectl.wait_until(lambda: len(jobs_of(queuectl, "quarterly")) == 3, "and on it goes")
        assert len(jobs_of(queuectl, "nightly")) == 1
        assert state(queuectl, "died") == "dead", "it is not forgotten for its age"

    @pytest.mark.parametrize("ran", [True, False], ids=["fired in 2100", "applied in 2100"])
    @pytest.mark.parametrize("restarted", [True, False], ids=["restarted", "running"])
    def test_e03_every_counts_anew(self, path: Path, ran: bool, restarted: bool) -> None:
        clock = FakeClock(jump=70 * 365 * DAY)
        worker = Simulation(path, clock=clock)
        intervals = {"often": 15 * MINUTE, "weekly": 7 * DAY}
        if not restarted:
            worker.settle()
        for name, every in intervals.items():
            worker.add_spec(name, Schedule(every_ms=every))
        if ran:
            run_for(worker, 20 * MINUTE)
        before = len(worker.store.jobs.list())
        clock.jump = 0
        if restarted:
            worker = Simulation(path, name="w2", clock=clock)
        run_for(worker, SECOND, step=SECOND)
        assert len(worker.store.jobs.list()) == before + (0 if ran else 2)
        for stored in worker.store.specs.list():
            assert 0 < (stored.next_due_at or 0) - clock.wall() <= intervals[stored.name]
            assert stored.created_at <= clock.wall(), "an edit of the schedule counts from here"
        run_for(worker, HOUR)
        assert len(worker.store.jobs.list()) == before + (4 if ran else 6)

    def test_e03_what_waits_for_its_turn_does_not_wait_for_2100(self, path: Path) -> None:
        clock = FakeClock(jump=70 * 365 * DAY)
        worker = Simulation(path, clock=clock, slots=3)
        worker.add_spec("one-by-one", Schedule(every_ms=MINUTE, overlap=Overlap.QUEUE))
        worker.settle()
        worker.settle(after_ms=MINUTE)
        assert worker.states() == {1: "processing", 2: "blocked"}
        worker.add(state=JobState.SCHEDULED, in_ms=10 * SECOND)
        asked = clock.wall() + HOUR
        worker.add(state=JobState.SCHEDULED, in_ms=HOUR, run_at_ms=asked)
        clock.jump = 0
        worker.settle(after_ms=SECOND)
        worker.spawner.end((1, 1))
        worker.settle(after_ms=SECOND)
        assert worker.job(2).state is JobState.PROCESSING
        worker.settle(after_ms=10 * SECOND)
        assert worker.job(3).state is JobState.PROCESSING
        assert (worker.job(4).state, worker.job(4).run_at) == (JobState.SCHEDULED, asked)


class TestTheClocksOnTheWallAreMoved:
    """Each is run through by a worker, and asked for with `next`."""

    def test_e04_a_skipped_time_runs_once_right_after_the_gap(self, queuectl: Queuectl, path: Path) -> None:
        expected = ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]
        assert fired(path, "30 2 * * *", "Europe/Berlin", "2026-03-28T00:05", "2026-03-30T06:00") == expected
        assert coming(queuectl, "30 2 * * *", "Europe/Berlin", "2026-03-28T00:05", 3) == expected

    def test_e04_as_a_real_worker_lives_through_it(self, queuectl: Queuectl, clock: WallClock) -> None:
        clock.set("2026-03-29T00:30:00Z")
        schedule(queuectl, "dump", "'30 2 * * *'", "timezone: Europe/Berlin")
        queuectl("apply", "jobs.d")
        queuectl.start("run")
        pulse(queuectl, "half past one")
        assert jobs_of(queuectl, "dump") == []
        clock.set("2026-03-29T00:59:59Z")
        queuectl.wait_until(lambda: jobs_of(queuectl, "dump"), "the gap is over")
        clock.set("2026-03-29T01:31:00Z")
        pulse(queuectl, "half past three")
        assert [format_instant(job.fire_at or 0) for job in jobs_of(queuectl, "dump")] == [
            "2026-03-29T01:00:00Z"
        ]

    def test_e05_a_repeated_time_runs_once(self, queuectl: Queuectl, path: Path) -> None:
        expected = ["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
        assert fired(path, "30 2 * * *", "Europe/Berlin", "2026-10-24T00:05", "2026-10-26T06:00") == expected
        assert coming(queuectl, "30 2 * * *", "Europe/Berlin", "2026-10-24T00:05", 3) == expected

    def test_e05_as_a_real_worker_lives_through_it(self, queuectl: Queuectl, clock: WallClock) -> None:
        clock.set("2026-10-25T00:00:00Z")
        schedule(queuectl, "dump", "'30 2 * * *'", "timezone: Europe/Berlin")
        queuectl("apply", "jobs.d")
        queuectl.start("run")
        pulse(queuectl, "two")
        assert jobs_of(queuectl, "dump") == []
        clock.set("2026-10-25T00:29:59Z")
        queuectl.wait_until(lambda: jobs_of(queuectl, "dump"), "half past two, summer time")
        clock.set("2026-10-25T01:30:01Z")
        pulse(queuectl, "half past two, winter time")
        assert len(jobs_of(queuectl, "dump")) == 1

    @pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
    def test_e06_wildcards_follow_elapsed_time(self, queuectl: Queuectl, path: Path, day: str) -> None:
        start = parse_instant(f"{day}T00:00:00Z", zone="UTC")
        expected = [format_instant(start + number * 30 * MINUTE) for number in range(1, 9)]
        assert (
            fired(path, "*/30 * * * *", "Europe/Berlin", f"{day}T00:00:01", f"{day}T04:10", step=5 * MINUTE)
            == expected
        )
        assert coming(queuectl, "*/30 * * * *", "Europe/Berlin", f"{day}T00:00:01Z", 8) == expected

    def test_e07_midnight_is_skipped(self, queuectl: Queuectl, path: Path) -> None:
        expected = ["2022-09-10T04:00:00Z", "2022-09-11T04:00:00Z", "2022-09-12T03:00:00Z"]
        assert (
            fired(path, "0 0 * * *", "America/Santiago", "2022-09-10T00:05", "2022-09-12T06:00") == expected
        )
        assert coming(queuectl, "0 0 * * *", "America/Santiago", "2022-09-10T00:05Z", 3) == expected

    def test_e08_a_shift_of_half_an_hour(self, queuectl: Queuectl, path: Path) -> None:
        expected = ["2024-10-04T15:45:00Z", "2024-10-05T15:30:00Z", "2024-10-06T15:15:00Z"]
        assert (
            fired(path, "15 2 * * *", "Australia/Lord_Howe", "2024-10-04T12:00", "2024-10-06T20:00")
            == expected
        )
        assert coming(queuectl, "15 2 * * *", "Australia/Lord_Howe", "2024-10-04T12:00Z", 3) == expected


class TestTimeZones:
    def test_e09_a_misspelt_zone_is_refused(self, queuectl: Queuectl) -> None:
        schedule(queuectl, "dump", "'30 2 * * *'", "timezone: Europe/Berln")
        done = queuectl.run("apply", "jobs.d")
        assert done.returncode == 3
        assert "dump.yaml:3:11: timezone: expected an IANA time zone" in done.stderr
        assert "did you mean 'Europe/Berlin'?" in done.stderr
        done = queuectl.run("config", "set", "timezone", "Europe/Berln")
        assert (done.returncode, done.stdout) == (2, "")
        assert "did you mean 'Europe/Berlin'?" in done.stderr

    def test_e09_a_machine_whose_own_zone_is_garbage(self, queuectl: Queuectl) -> None:
        schedule(queuectl, "dump", "'30 2 * * *'", "timezone: Europe/Berlin")
        start = ("next", "jobs.d", "--from", "2026-06-01T12:00:00Z")
        garbage = queuectl(*start, "-o", "json", TZ="garbage")
        assert garbage == queuectl(*start, "-o", "json")
        assert "2026-06-02T00:30:00Z" in garbage
        queuectl("apply", "jobs.d", TZ="garbage")
        queuectl("enqueue", "true", TZ="Europe/Garbage")
        queuectl("run", "--until-idle", TZ="garbage")
        assert "2026-06-02 02:30:00 CEST" in queuectl(*start, TZ="garbage")
        assert queuectl.states() == {1: "completed"}

    def test_e09_no_time_zone_data_on_the_machine(self, queuectl: Queuectl, clock: WallClock) -> None:
        clock.set("2026-06-01T00:29:00Z")
        schedule(queuectl, "dump", "'30 2 * * *'", "timezone: Europe/Berlin")
        queuectl("apply", "jobs.d")
        without_zone_data(queuectl)
        schedule(queuectl, "beat", "{every: 1m}", "timezone: Europe/Paris")
        done = queuectl.run("apply", "jobs.d")
        assert done.returncode == 3
        assert "no time zone data" in done.stderr
        assert "install tzdata" in done.stderr
        schedule(queuectl, "beat", "{every: 1m}")
        queuectl("apply", "jobs.d")
        for words in (["next"], ["status"], ["spec", "show", "dump"], ["spec", "list"], ["fires"]):
            done = queuectl.run(*words)
            assert "unexpected" not in done.stderr, done.stderr
            assert "Traceback" not in done.stderr

        worker = queuectl.start("run")
        queuectl.wait_until(lambda: ran(queuectl, "beat", 1), "what needs no zone is run")
        clock.step(2 * MINUTE)
        queuectl.wait_until(lambda: ran(queuectl, "beat", 2), "again and again")
        assert jobs_of(queuectl, "dump") == [], "it is not taken for one in UTC"
        log = (queuectl.folder / "run0.log").read_text()
        assert log.count("schedule unreadable") == log.count("spec=dump") == 1
        worker.terminate()
        worker.wait()

        with_zone_data(queuectl)
        clock.step(2 * MINUTE)
        queuectl.start("run")
        queuectl.wait_until(lambda: jobs_of(queuectl, "dump"), "it is made up for")
        assert [format_instant(job.fire_at or 0) for job in jobs_of(queuectl, "dump")] == [
            "2026-06-01T00:30:00Z"
        ]


class TestExpressions:
    @pytest.mark.parametrize("expression", ["0 0 30 2 *", "0 0 31 2,4 *"])
    def test_e10_one_that_never_fires_is_refused(self, queuectl: Queuectl, expression: str) -> None:
        schedule(queuectl, "never", f"'{expression}'")
        done = queuectl.run("apply", "jobs.d")
        assert done.returncode == 3
        assert f"never.yaml:2:11: schedule: '{expression}' never fires" in done.stderr

    def test_e11_either_day_is_enough_but_where_one_starts_with_a_star(self, queuectl: Queuectl) -> None:
        expected = {
            "0 0 31 2 0": ["2026-02-01", "2026-02-08", "2026-02-15"],
            "0 0 13 * 5": ["2026-01-02", "2026-01-09", "2026-01-13"],
            "0 0 */2 * 1": ["2026-01-05", "2026-01-19", "2026-02-09"],
        }
        names = {f"job{number}": expression for number, expression in enumerate(expected)}
        for name, expression in names.items():
            schedule(queuectl, name, f"'{expression}'")
        found: dict[str, list[str]] = {}
        for one in queuectl.json("next", "jobs.d", "--from", "2026-01-01T12:00:00Z", "--count", "3"):
            found.setdefault(names[one["spec"]], []).append(one["due_at"][:10])
        assert found == expected

    def test_e12_what_is_no_expression_is_refused_with_its_field(self, queuectl: Queuectl) -> None:
        wrong = {
            "60 * * * *": "minute: expected 0-59, found 60",
            "*/0 * * * *": "minute: expected a step of 1 or more",
            "* * * *": "expected 5 fields (minute, hour, day of month, month, day of week), found 4",
            "0 0 * * * *": "expected 5 fields (minute, hour, day of month, month, day of week), found 6",
            "* 5-1 * * *": "hour: expected a range that runs upwards, found '5-1'",
            "¹ * * * *": "minute: expected 0-59, found '¹'",
            "1,,2 * * * *": "minute: expected a value on each side of a comma",
            "0 0 L * *": "day of month: expected 1-31",
            "@reboot": "expected five fields or one of @hourly",
            "": "found an empty text",
        }
        lines = ["jobs:"] + [
            f"  job{number}: {{command: 'true', schedule: '{expression}'}}"
            for number, expression in enumerate(wrong)
        ]
        queuectl.spec("wrong", "\n".join(lines))
        queuectl.deadline_s = 10
        done = queuectl.run("apply", "jobs.d")
        assert done.returncode == 3
        for number, message in enumerate(wrong.values(), 2):
            (line,) = (line for line in done.stderr.splitlines() if f"wrong.yaml:{number}:" in line)
            assert "schedule: " in line
            assert message in line

    def test_e12_a_megabyte_is_refused_as_fast(self, queuectl: Queuectl) -> None:
        schedule(queuectl, "long", "'" + "*/5," * 250_000 + "1 * * * *'")
        schedule(queuectl, "wide", "'" + "* " * 500_000 + "'")
        queuectl.deadline_s = 10
        done = queuectl.run("apply", "jobs.d")
        assert done.returncode == 3
        assert "long.yaml:2:11: schedule: expected at most 1000 characters, found 1000009" in done.stderr
        assert "wide.yaml:2:11: schedule: expected at most 1000 characters, found 1000000" in done.stderr
        assert len(done.stderr) < 2_000

    def test_e13_200_schedules_stay_as_they_are(self, queuectl: Queuectl) -> None:
        """All of them are looked at in tests/rules/test_cron_debian.py; these go through the command line."""
        golden = [
            [part.strip() for part in line.split("|")] for line in GOLDEN.read_text("utf-8").splitlines()
        ]
        assert len({tuple(line[:3]) for line in golden}) == 200
        assert any(line[0].startswith("59/15") for line in golden), "croniter changed what it means"
        start = "2024-10-04T13:00:00"
        chosen = {f"job{number}": line for number, line in enumerate(golden) if line[2] == f"{start}+00:00"}
        assert len(chosen) > 20
        for name, (expression, zone, *_) in chosen.items():
            schedule(queuectl, name, f"'{expression}'", f"timezone: {zone}")
        found: dict[str, list[int]] = {name: [] for name in chosen}
        for one in queuectl.json("next", "jobs.d", "--from", f"{start}.001Z", "--count", "5"):
            found[one["spec"]].append(parse_instant(one["due_at"], zone="UTC"))
        assert found == {
            name: [parse_instant(due, zone="UTC") for due in line[3:]] for name, line in chosen.items()
        }


class TestTheSchedulerIsAway:
    def test_e14_for_102_ticks(self, queuectl: Queuectl, clock: WallClock) -> None:
        clock.set("2026-05-04T10:00:30Z")
        schedule(queuectl, "minutely", "'* * * * *'")
        queuectl("apply", "jobs.d")
        clock.step(102 * MINUTE)
        queuectl.start("run")
        queuectl.wait_until(lambda: ran(queuectl, "minutely", 1), "one catches up")
        pulse(queuectl, "settled")
        assert [(fire.outcome, fire.count) for fire in ledger(queuectl, "minutely")] == [
            (MISSED, 101),
            (CAUGHT_UP, 1),
        ]
        clock.stop_at("2026-05-04T11:43:00Z")
        queuectl.wait_until(lambda: len(jobs_of(queuectl, "minutely")) == 2, "it fires again")
        assert ledger(queuectl, "minutely")[-1].outcome is FIRED

    def test_e15_for_two_seconds_over_the_tick(self, queuectl: Queuectl, clock: WallClock) -> None:
        clock.stop_at("2026-05-04T10:59:58Z")
        schedule(queuectl, "hourly", "{cron: '0 * * * *', catch_up: none}")
        queuectl("apply", "jobs.d")
        queuectl("run", "--until-idle")
        assert ledger(queuectl, "hourly") == []
        clock.stop_at("2026-05-04T11:00:02Z")
        queuectl("run", "--until-idle")
        assert [fire.outcome for fire in ledger(queuectl, "hourly")] == [FIRED]
        assert queuectl.states() == {1: "completed"}

    def test_e16_each_day_and_the_job_is_weekly(self, queuectl: Queuectl, clock: WallClock) -> None:
        clock.set("2026-05-06T12:00:00Z")  # a Wednesday
        schedule(queuectl, "weekly", "'0 3 * * 1'")
        queuectl("apply", "jobs.d")
        for _ in range(8):
            queuectl("run", "--until-idle")
            clock.step(DAY)
        assert [format_instant(job.fire_at or 0) for job in jobs_of(queuectl, "weekly")] == [
            "2026-05-11T03:00:00Z"
        ]

    def test_e18_the_job_takes_longer_than_its_period(self, queuectl: Queuectl) -> None:
        schedule(queuectl, "slow", "{every: 200ms}", command="sleep 0.7")
        queuectl("apply", "jobs.d")
        queuectl.start("run")
        queuectl.wait_until(
            lambda: sum(job.state is JobState.COMPLETED for job in jobs_of(queuectl, "slow")) >= 2, "two ran"
        )
        fires = ledger(queuectl, "slow")
        skipped = [fire for fire in fires if fire.outcome is SKIPPED]
        assert len(skipped) >= 3
        assert re.fullmatch(r"job 1 is still (pending|processing)", skipped[0].reason or "")
        assert {fire.job_id for fire in skipped} == {None}
        assert instants(fires) == list(range(fires[0].due_at, fires[-1].due_at + 1, 200)), "each has its row"
        spans = queuectl.look(lambda store: [store.attempts.of_job(job.id)[0] for job in store.jobs.list()])
        for later, earlier in pairwise(spans):
            assert earlier.finished_at is not None
            assert earlier.finished_at <= later.started_at, "never two at a time"

    def test_e20_stopped_for_ten_minutes(self, queuectl: Queuectl, clock: WallClock) -> None:
        clock.set("2026-05-04T10:00:30Z")
        schedule(queuectl, "cron", "'* * * * *'")
        schedule(queuectl, "every", "{every: 1m}")
        queuectl("apply", "jobs.d")
        worker = queuectl.start("run")
        queuectl.wait_until(lambda: ran(queuectl, "every", 1), "its first apply")
        worker.send_signal(signal.SIGSTOP)
        clock.step(10 * MINUTE)
        worker.send_signal(signal.SIGCONT)
        queuectl.wait_until(lambda: jobs_of(queuectl, "cron"), "one for all")
        pulse(queuectl, "settled")
        assert len(jobs_of(queuectl, "cron")) == 1
        assert len(jobs_of(queuectl, "every")) == 2
        assert sum(fire.count for fire in ledger(queuectl, "cron")) == 10
        assert sum(fire.count for fire in ledger(queuectl, "every")) == 11


class TestSeveralSchedulers:
    def test_e17_one_row_and_one_job_for_each_instant(self, queuectl: Queuectl) -> None:
        schedule(queuectl, "tick", "{every: 250ms, overlap: allow}")
        queuectl("apply", "jobs.d")
        for _ in range(3):
            queuectl.start("run", "--slots", "2")
        queuectl.wait_until(lambda: len(ledger(queuectl, "tick")) > 4, "they fire")
        queuectl.started[0].kill()
        queuectl.wait_until(lambda: len(ledger(queuectl, "tick")) > 12, "the others go on")
        check_one_job_for_each_instant(queuectl, "tick", 250)
        assert [worker.poll() for worker in queuectl.started[1:]] == [None, None]

    def test_e17_one_is_killed_at_each_sync_and_another_goes_on(self, queuectl: Queuectl) -> None:
        schedule(queuectl, "tick", "{every: 1s, overlap: allow, catch_up: all}")
        queuectl("apply", "jobs.d")
        for number, done in killed_at_each(queuectl, "fdatasync", "run", "--until-idle"):
            check_one_job_for_each_instant(queuectl, "tick", 1_000)
            assert number > 4 or done.returncode in {-9, 137}, "there is a sync for what it fires"
        assert queuectl.look(lambda store: store.fires.list(spec="tick"))

    def test_e21_the_store_is_held_by_another(self, queuectl: Queuectl) -> None:
        schedule(queuectl, "tick", "{every: 250ms, overlap: allow}")
        queuectl("apply", "jobs.d")
        pid = queuectl.folder / "pid"
        queuectl("enqueue", f"echo $$ >{pid}; exec sleep 60", "--timeout", "2s", "--max-retries", "0")
        worker = queuectl.start("run")
        queuectl.wait_until(lambda: pid.exists() and pid.read_text().strip(), "the long job runs")
        log = queuectl.folder / "run0.log"
        holder = apsw.Connection(str(queuectl.db))
        holder.execute("BEGIN IMMEDIATE")
        queuectl.wait_until(lambda: "store unavailable" in log.read_text(), "it says so")
        queuectl.wait_until(lambda: not is_there(int(pid.read_text())), "time-outs don't wait for the store")
        before = len(ledger(queuectl, "tick"))
        holder.execute("ROLLBACK")
        holder.close()
        queuectl.wait_until(lambda: len(ledger(queuectl, "tick")) > before + 5, "it is tried again")
        check_one_job_for_each_instant(queuectl, "tick", 250)
        assert log.read_text().count("store unavailable") == 1
        assert worker.poll() is None


class TestInstants:
    def test_e19_those_of_a_spec(self, queuectl: Queuectl, clock: WallClock) -> None:
        clock.set("2030-03-30T12:00:00Z")
        expected = {
            "'2020-01-01T00:00:00Z'": ("pending", "2030-03-30T12:00:"),
            "'2030-06-01T12:00'": ("scheduled", "2030-06-01T10:00:00Z"),
            "'2030-06-01T12:00-02:00'": ("scheduled", "2030-06-01T14:00:00Z"),
            "'2030-03-31T02:30'": ("scheduled", "2030-03-31T01:00:00Z"),
            "'2030-10-27T02:30'": ("scheduled", "2030-10-27T00:30:00Z"),
        }
        for number, run_at in enumerate(expected):
            queuectl.spec(f"job{number}", f"command: 'true'\nrun_at: {run_at}\ntimezone: Europe/Berlin\n")
        queuectl("apply", "jobs.d")
        found = {job["spec"]: (job["state"], job["run_at"]) for job in queuectl.json("list")}
        for number, (run_at, (what, when)) in enumerate(expected.items()):
            assert found[f"job{number}"][0] == what, run_at
            assert found[f"job{number}"][1].startswith(when), run_at

    def test_e19_what_is_no_instant(self, queuectl: Queuectl) -> None:
        wrong = {
            "2030-01-01T00:00:00+25:00": "hours of the offset: expected 0-23, found 25",
            "2030-12-31T23:59:60Z": "second: expected 0-59, found 60",
            "2030-02-30": "day of 2030-02: expected 1-28, found 30",
            "tomorrow": "expected an instant like 2030-01-31T08:00",
        }
        lines = ["jobs:"] + [
            f"  job{number}: {{command: 'true', run_at: '{instant}'}}" for number, instant in enumerate(wrong)
        ]
        queuectl.spec("wrong", "\n".join(lines))
        done = queuectl.run("apply", "jobs.d")
        assert done.returncode == 3
        for number, message in enumerate(wrong.values(), 2):
            (line,) = (line for line in done.stderr.splitlines() if f"wrong.yaml:{number}:" in line)
            assert f"run_at: {message}" in line
        done = queuectl.run("enqueue", "true", "--run-at", "2030-12-31T23:59:60Z")
        assert (done.returncode, done.stdout) == (2, "")
        assert "second: expected 0-59, found 60" in done.stderr

    def test_e19_of_enqueue_without_an_offset(self, queuectl: Queuectl) -> None:
        queuectl("enqueue", "true", "--run-at", "2030-06-01T12:00", QUEUECTL_TIMEZONE="Europe/Berlin")
        queuectl("enqueue", "true", "--run-at", "2030-06-01T12:00")
        queuectl("enqueue", "true", "--run-at", "2020-06-01T12:00")
        jobs = queuectl.json("list")
        assert [job["run_at"] for job in jobs[1:]] == ["2030-06-01T12:00:00Z", "2030-06-01T10:00:00Z"]
        assert [job["state"] for job in jobs] == ["pending", "scheduled", "scheduled"]


def slow_lease(queuectl: Queuectl) -> None:
    """Let no worker be held for dead where it is only the machine that is busy."""
    queuectl.env |= {"QUEUECTL_LEASE": "20s", "QUEUECTL_HEARTBEAT": "1s"}


def schedule(queuectl: Queuectl, name: str, when: str, *more: str, command: str = "true") -> None:
    """Write a spec with a schedule."""
    queuectl.spec(name, "\n".join([f"command: '{command}'", f"schedule: {when}", *more, ""]))


def ledger(queuectl: Queuectl, spec: str) -> list[Fire]:
    """Return what became of the instants of a spec, oldest first."""
    return queuectl.look(lambda store: store.fires.list(spec=spec, limit=10_000)[::-1])


def jobs_of(queuectl: Queuectl, spec: str) -> list[Job]:
    """Return the jobs that a spec has made, oldest first."""
    return queuectl.look(lambda store: store.jobs.list(JobFilter(spec=spec), limit=10_000)[::-1])


def ran(queuectl: Queuectl, spec: str, times: int) -> bool:
    """Return whether the spec ran so often: while one runs, the next fire would be skipped."""
    states = [job.state for job in jobs_of(queuectl, spec)]
    return states == [JobState.COMPLETED] * times


def by_key(queuectl: Queuectl, key: str) -> Job:
    job = queuectl.look(lambda store: store.jobs.by_key(key))
    assert job is not None
    return job


def state(queuectl: Queuectl, key: str) -> str:
    return by_key(queuectl, key).state.value


def outcomes(queuectl: Queuectl, key: str) -> list[Any]:
    job = by_key(queuectl, key)
    return queuectl.look(lambda store: [attempt.outcome for attempt in store.attempts.of_job(job.id)])


def pulse(queuectl: Queuectl, key: str) -> None:
    """Wait until a job that comes in now is over: what was due before has been dealt with."""
    queuectl("enqueue", "true", "--key", key)
    queuectl.wait_until(lambda: state(queuectl, key) == "completed", key)


def coming(queuectl: Queuectl, expression: str, zone: str, start: str, count: int) -> list[str]:
    """Ask `queuectl next`."""
    schedule(queuectl, "asked", f"'{expression}'", f"timezone: {zone}")
    found = queuectl.json("next", "jobs.d", "--from", start, "--count", str(count))
    return [one["due_at"] for one in found]


def fired(
    path: Path, expression: str, zone: str, start: str, until: str, *, step: int = 10 * MINUTE
) -> list[str]:
    """Return for which instants a worker starts a job that runs from `start` to `until`, in UTC."""
    first, last = (parse_instant(text, zone="UTC") for text in (start, until))
    worker = Simulation(path, clock=FakeClock(jump=first - START))
    worker.add_spec("s", Schedule(cron=(expression,), timezone=zone))
    run_for(worker, last - first, step=step)
    fires = worker.store.fires.list(limit=1000)
    jobs = worker.store.jobs.list(limit=1000)
    assert [job.fire_at for job in jobs] == [fire.due_at for fire in fires]
    assert {fire.count for fire in fires} == {1}
    return [format_instant(fire.due_at) for fire in reversed(fires)]


def run_for(worker: Simulation, ms: int, *, step: int = MINUTE) -> None:
    """Let the worker run for so long; all that it starts succeeds at once."""
    for _ in range(0, ms, step):
        worker.settle(after_ms=step)
        for key in worker.spawner.running():
            worker.spawner.end(key)
        worker.settle()


def instants(fires: list[Fire]) -> list[int]:
    return [fire.due_at for fire in fires]


def check_one_job_for_each_instant(queuectl: Queuectl, spec: str, every: int) -> None:
    """Every instant since the first apply has its row, and every row a job of its own."""

    def rows_and_jobs(store: Any) -> tuple[list[Fire], list[Job]]:
        with store.transaction():
            jobs = store.jobs.list(JobFilter(spec=spec), limit=10_000)[::-1]
            return store.fires.list(spec=spec, limit=10_000)[::-1], jobs

    fires, jobs = queuectl.look(rows_and_jobs)
    if fires:
        assert instants(fires) == list(range(fires[0].due_at, fires[-1].due_at + 1, every))
    assert [fire.job_id for fire in fires] == [job.id for job in jobs]
    assert instants(fires) == [job.fire_at for job in jobs]


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
