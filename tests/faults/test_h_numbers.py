"""H: numbers out of range, retries and their delays, and two things that happen at once."""

from __future__ import annotations

import re
import time
from pathlib import Path

import apsw
import pytest

from queuectl.model.config import Config
from queuectl.model.job import Attempt, Job
from queuectl.model.spec import Backoff
from queuectl.model.states import JobState, Outcome
from queuectl.rules.backoff import delay_ms
from queuectl.store.store import Store
from tests.command import Queuectl
from tests.engine.simulation import Simulation
from tests.faults.pace import SLACK_S

ROOT = Path(__file__).parents[2]
SECOND, HOUR = 1_000, 3_600_000
TOO_LARGE = 9_223_372_036_854_775_808
"""One more than 64 bits hold."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "simulated.db"


class TestOutOfRange:
    def test_h01_a_timeout_that_is_none_of_the_things_that_it_could_be(self, queuectl: Queuectl) -> None:
        wrong = ["-1", "0", "true", "'5'", "'-1s'", "0s", "'0'", "null", "1e12"]
        check_refused(queuectl, "timeout", wrong)
        for words in (
            ["true", "--timeout=-1"],
            ["true", "--timeout=0"],
            ['{"command": "true", "timeout": true}'],
        ):
            done = queuectl.run("enqueue", *words)
            assert (done.returncode, done.stdout) == (2, ""), words
            assert "timeout: expected a duration" in done.stderr
        assert (
            "default-timeout: expected a duration"
            in queuectl.run("config", "set", "default-timeout", "0").stderr
        )
        assert queuectl.states() == {}

    def test_h01_the_shortest_timeout_is_one(self, queuectl: Queuectl) -> None:
        queuectl("enqueue", "exec sleep 60", "--timeout", "1ms", "--max-retries", "0")
        since = time.monotonic()
        queuectl("run", "--until-idle", code=1)
        assert time.monotonic() - since < SLACK_S
        assert [attempt.outcome for attempt in attempts(queuectl, 1)] == [Outcome.TIMED_OUT]

    def test_h02_more_retries_than_anybody_means(self, queuectl: Queuectl) -> None:
        check_refused(queuectl, "retries", ["1000000000", "1001", "-1", "1.5", "'3'", "true", "1e3000"])
        for words in (
            ["enqueue", "true", "--max-retries", "1000000000"],
            ["enqueue", '{"command": "true", "max_retries": 1000000000}'],
            ["config", "set", "max-retries", "1000000000"],
        ):
            done = queuectl.run(*words)
            assert (done.returncode, done.stdout) == (2, ""), words
            assert "1000" in done.stderr
        done = queuectl.run("enqueue", "true", QUEUECTL_MAX_RETRIES="1000000000")
        assert done.returncode == 2
        assert "QUEUECTL_MAX_RETRIES: expected a whole number 0…1000" in done.stderr

    @pytest.mark.parametrize("retry", [310, 1_024, 1_100, 1_000_000_000, 10**18])
    @pytest.mark.parametrize("factor", [1.0000001, 2.0, 3.0, 1000.0, 1e308])
    def test_h02_no_power_overflows(self, retry: int, factor: float) -> None:
        def delay(random: float) -> int:
            return delay_ms(retry, base_ms=2_000, factor=factor, max_ms=HOUR, jitter=0.1, random=random)

        assert delay(0.5) <= HOUR
        assert delay(0.999) <= HOUR
        if factor >= 2 or retry >= 10**9:
            assert delay(0.5) == HOUR
            assert delay(0.0) == HOUR * 0.9

    def test_h02_a_job_on_its_thousandth_retry_waits_the_longest_delay(self, path: Path) -> None:
        worker = Simulation(path)
        worker.add(retries=1000, backoff=Backoff(base_ms=2 * SECOND, factor=1000.0, max_ms=HOUR, jitter=0.0))
        with apsw.Connection(str(path)) as connection:
            connection.execute("UPDATE jobs SET failures = 999, attempt = 1100")
        worker.settle()
        worker.spawner.end((1, 1101), Outcome.FAILED)
        worker.settle()
        assert (worker.job(1).state, worker.job(1).failures) == (JobState.FAILED, 1000)
        assert worker.job(1).run_at == worker.clock.wall() + HOUR
        worker.settle(after_ms=HOUR)
        assert worker.spawner.running() == [(1, 1102)], "it does not disappear for ever"
        worker.spawner.end((1, 1102), Outcome.FAILED)
        worker.settle()
        assert worker.states() == {1: "dead"}

    def test_h03_factors(self, queuectl: Queuectl) -> None:
        wrong = ["1e308", "0", "-2", ".nan", ".inf", "-.inf", "0.5", "'2'", "true", "1e400"]
        check_refused(queuectl, "backoff", [f"{{factor: {factor}}}" for factor in wrong])
        for factor in ("0", "nan", "1e400"):
            done = queuectl.run("config", "set", f"--backoff-factor={factor}")
            assert (done.returncode, done.stdout) == (2, ""), factor
            assert "expected a number of at least 1" in done.stderr
        assert queuectl.json("config", "get", "backoff-factor")["value"] == "2"

    def test_h03_the_largest_that_there_is_waits_no_longer_than_the_longest(self, path: Path) -> None:
        worker = Simulation(path, config=Config(backoff_factor=1.7e308, backoff_jitter=0.0))
        worker.add(retries=5, backoff=Backoff())
        delays = []
        for attempt in range(1, 4):
            worker.settle()
            worker.spawner.end((1, attempt), Outcome.FAILED)
            worker.settle()
            delays.append(worker.job(1).run_at - worker.clock.wall())
            worker.settle(after_ms=delays[-1])
        assert delays == [2 * SECOND, HOUR, HOUR]

    def test_h04_what_64_bits_do_not_hold(self, queuectl: Queuectl) -> None:
        numbers = [f"{sign}{TOO_LARGE}" for sign in ("", "-")]
        fields = ("priority", "retries", "timeout", "max_log", "kill_after")
        check_all_refused(queuectl, [(field, number) for field in fields for number in numbers])
        inside = [("keep", f"{{completed: {TOO_LARGE}}}"), ("exit_codes", f"{{dead: [{TOO_LARGE}]}}")]
        check_all_refused(queuectl, inside)
        queuectl("enqueue", "true")
        for words, code in (
            (["enqueue", "true", f"--priority={TOO_LARGE}"], 2),
            (["enqueue", f'{{"command": "true", "priority": {TOO_LARGE}}}'], 2),
            (["enqueue", "true", f"--delay={TOO_LARGE}"], 2),
            (["get", f"{TOO_LARGE}"], 1),
            (["cancel", f"{TOO_LARGE - 1}", f"{TOO_LARGE}"], 1),
            (["logs", "1", f"--attempt={TOO_LARGE}"], None),
            (["list", f"--limit={TOO_LARGE}"], 2),
            (["purge", "--yes", f"--older-than={TOO_LARGE}"], 2),
            (["run", f"--slots={TOO_LARGE}"], 2),
            (["config", "set", "keep-dead", f"{TOO_LARGE}"], 2),
        ):
            done = queuectl.run(*words)
            assert done.returncode == code or (code is None and done.returncode in {1, 2}), (
                words,
                done.stderr,
            )
            assert "unexpected" not in done.stderr
            assert "Traceback" not in done.stderr
            assert done.stderr.count("\n") <= 2
        assert queuectl.states() == {1: "pending"}


class TestRetries:
    def test_h05_no_retries_is_one_attempt(self, queuectl: Queuectl) -> None:
        queuectl("enqueue", "exit 3", "--max-retries", "0")
        queuectl("run", "--until-idle", code=1)
        job = queuectl.json("get", "1")
        assert (job["state"], job["attempt"], job["reason"]) == ("dead", 1, "exit code 3, after 1 attempt")
        assert [dead["id"] for dead in queuectl.json("dlq", "list")] == [1]

    def test_h06_a_thousand_that_fail_together_come_back_one_by_one(self, path: Path) -> None:
        worker = Simulation(path, slots=1000)
        with worker.store.transaction():
            for _ in range(1000):
                worker.add(backoff=Backoff())
        worker.settle()
        assert len(worker.spawner.running()) == 1000
        for key in worker.spawner.running():
            worker.spawner.end(key, Outcome.FAILED)
        worker.settle()
        waits = sorted(job.run_at - worker.clock.wall() for job in worker.store.jobs.list(limit=1000))
        assert 1_800 <= waits[0] < 1_840
        assert 2_160 < waits[-1] <= 2_200
        tenths = [sum(1 for wait in waits if 0 <= wait - low < 40) for low in range(1_800, 2_200, 40)]
        assert max(tenths) < 200, f"no herd: {tenths}"

    def test_h07_two_redrives_at_once(self, queuectl: Queuectl) -> None:
        queuectl("enqueue", "exit 1", "--max-retries", "0")
        queuectl("run", "--until-idle", code=1)
        rounds = 4
        for number in range(2, rounds + 2):
            retries = [queuectl.start("dlq", "retry", "1") for _ in range(3)]
            assert sorted(retry.wait(queuectl.deadline_s) for retry in retries) == [0, 1, 1]
            assert queuectl.states() == {1: "pending"}
            queuectl("run", "--until-idle", code=1)
            assert [attempt.number for attempt in attempts(queuectl, 1)] == list(range(1, number + 1))
        said = "".join(path.read_text() for path in queuectl.folder.glob("run*.log"))
        assert said.count("job 1 is pending, not in the dead letter queue") == 2 * rounds

    def test_h08_steady_work_of_a_higher_priority(self, queuectl: Queuectl, path: Path) -> None:
        worker = Simulation(path, slots=1)
        worker.add(priority=0)
        for _ in range(50):
            worker.add(priority=9)
            worker.settle(after_ms=SECOND)
            for key in worker.spawner.running():
                assert key[0] != 1, "priority goes before age, however old"
                worker.add(priority=9)
                worker.spawner.end(key)
        assert worker.job(1).state is JobState.PENDING

    def test_h08_is_seen_and_documented(self, queuectl: Queuectl) -> None:
        queuectl("enqueue", "true", "--queue", "slow")
        queuectl.wait_until(lambda: queuectl.json("status")["oldest_pending_s"] >= 0.1, "it is seen to wait")
        assert "oldest pending  waits" in queuectl("status")
        (queue,) = queuectl.json("queue", "list")
        assert queue["name"] == "slow"
        assert 1 in queue.values(), "so many wait there"
        assert "no ageing" in (ROOT / "README.md").read_text("utf-8")
        assert "keeps lower ones waiting" in (ROOT / "docs" / "guarantees.md").read_text("utf-8")


class TestTwoEndsAtOnce:
    def test_h09_a_job_fails_as_its_time_runs_out(self, queuectl: Queuectl) -> None:
        jobs = [
            f'{{"command": "sleep 0.4; exit 3", "timeout": "{timeout}ms", "retries": 0}}'
            for timeout in range(380, 440, 2)
        ]
        queuectl("enqueue", "-", stdin="\n".join(jobs))
        queuectl("run", "--until-idle", "--slots", "30", code=1)
        reasons = {
            Outcome.FAILED: "exit code 3, after 1 attempt",
            Outcome.TIMED_OUT: "timed out, after 1 attempt",
        }
        for job in all_jobs(queuectl):
            (attempt,) = attempts(queuectl, job.id)
            assert attempt.outcome in reasons
            assert (job.state, job.failures) == (JobState.DEAD, 1)
            assert job.reason == reasons[attempt.outcome]

    def test_h09_a_job_is_cancelled_as_it_ends(self, queuectl: Queuectl) -> None:
        count, lasts_ms = 60, 400
        queuectl("enqueue", "-", stdin="\n".join([f"sleep {lasts_ms / 1000}"] * count))
        queuectl.start("run", "--slots", str(count))
        queuectl.wait_until(lambda: set(queuectl.states().values()) == {"processing"}, "all run")
        begins = [attempts(queuectl, number)[0].started_at for number in range(1, count + 1)]

        def cancel_each(store: Store) -> None:
            for number, begin in enumerate(begins, 1):
                when = begin + lasts_ms + 15 * (number - count // 4)  # on a loaded machine they end late
                time.sleep(max(0, when / 1000 - time.time()))
                store.jobs.cancel(number, reason="not needed", now=time.time_ns() // 1_000_000)

        queuectl.look(cancel_each)
        queuectl.wait_until(
            lambda: set(queuectl.states().values()) <= {"completed", "cancelled"}, "all are over"
        )
        ended = {JobState.COMPLETED: Outcome.SUCCEEDED, JobState.CANCELLED: Outcome.CANCELLED}
        for job in all_jobs(queuectl):
            assert [attempt.outcome for attempt in attempts(queuectl, job.id)] == [ended[job.state]]
            assert job.cancel_requested_at is None
        assert set(queuectl.states().values()) == {"completed", "cancelled"}, "the test met both"

    @pytest.mark.parametrize("heard", [True, False])
    def test_h09_a_job_that_fails_as_it_is_cancelled_is_not_tried_again(
        self, path: Path, heard: bool
    ) -> None:
        worker = Simulation(path)
        worker.add(retries=5)
        worker.settle()
        worker.store.jobs.cancel(1, reason="not needed", now=worker.clock.wall())
        worker.spawner.end((1, 1), Outcome.FAILED)
        worker.settle(after_ms=worker.config.poll_interval if heard else 0)
        assert worker.states() == {1: "cancelled"}
        assert worker.outcomes(1) == ["failed"]
        assert worker.job(1).reason == "not needed"

    def test_h09_a_cancel_that_came_too_late_says_so(self, queuectl: Queuectl) -> None:
        queuectl("enqueue", "-", stdin="\n".join(f"sleep 0.{number:02}" for number in range(20, 60)))
        queuectl.start("run", "--slots", "40")
        queuectl.wait_until(lambda: "completed" in queuectl.states().values(), "the first ends")
        cancels = [
            queuectl.start("cancel", *map(str, range(first, 41, 4)), "-o", "json") for first in range(1, 5)
        ]
        assert {cancel.wait(queuectl.deadline_s) for cancel in cancels} <= {0, 1}
        queuectl.wait_until(
            lambda: set(queuectl.states().values()) <= {"completed", "cancelled"}, "all are over"
        )
        said = "".join(path.read_text() for path in queuectl.folder.glob("run*.log"))
        for job in all_jobs(queuectl):
            (attempt,) = attempts(queuectl, job.id)
            assert (attempt.outcome == Outcome.CANCELLED) == (job.state is JobState.CANCELLED)
            if f"job {job.id} is completed already" in said:
                assert job.state is JobState.COMPLETED


def check_refused(queuectl: Queuectl, field: str, values: list[str]) -> None:
    """See that each value of a field is refused, by the field's name, in its line of a spec file."""
    check_all_refused(queuectl, [(field, value) for value in values])


def check_all_refused(queuectl: Queuectl, wrong: list[tuple[str, str]]) -> None:
    lines = ["jobs:"] + [
        f"  job{number}: {{command: 'true', {field}: {value}}}" for number, (field, value) in enumerate(wrong)
    ]
    spec = queuectl.spec("wrong", "\n".join(lines))
    done = queuectl.run("apply", "jobs.d")
    spec.unlink()
    assert done.returncode == 3, done.stdout
    for number, (field, value) in enumerate(wrong, 2):
        found = [line for line in done.stderr.splitlines() if f"wrong.yaml:{number}:" in line]
        assert found, f"{field}: {value} was not refused"
        assert f"{field}: expected" in found[0] or re.search(
            r": expected a finite number|\.\w+.*: expected", found[0]
        )
    assert f"{len(wrong)} error" in done.stderr


def all_jobs(queuectl: Queuectl) -> list[Job]:
    return queuectl.look(lambda store: store.jobs.list(limit=1000))


def attempts(queuectl: Queuectl, job: int) -> list[Attempt]:
    return queuectl.look(lambda store: list(store.attempts.of_job(job)))
