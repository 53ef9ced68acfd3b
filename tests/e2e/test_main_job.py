"""The main job, with real processes: specs, apply, run, retries, DLQ, schedules, stops and crashes."""

from __future__ import annotations

import json
import os
import signal
from datetime import datetime
from itertools import pairwise

import psutil
import pytest

from tests.command import Queuectl

NAP = str(100_000 + os.getpid())
"""Seconds that nobody else's `sleep` on this machine sleeps."""


def test_apply_run_list_logs(queuectl: Queuectl) -> None:
    queuectl.spec(
        "hello", "command: echo hello from $QUEUECTL_SPEC, job $QUEUECTL_JOB_ID, attempt $QUEUECTL_ATTEMPT\n"
    )
    queuectl.spec("nightly", 'command: echo night\nschedule: "0 2 * * *"\n')
    queuectl("apply", "jobs.d")
    queuectl("run", "--until-idle")
    assert [(job["spec"], job["state"]) for job in queuectl.json("list")] == [("hello", "completed")]
    assert queuectl("logs", "hello") == "hello from hello, job 1, attempt 1\n"
    assert "create" not in queuectl("apply", "jobs.d")
    queuectl("run", "--until-idle")
    assert len(queuectl.json("list")) == 1


def test_dead_mended_redriven(queuectl: Queuectl) -> None:
    text = "command: {command}\nretries: 3\nbackoff: {{base: 1s, factor: 1, jitter: 0}}\n"
    queuectl.spec("bad", text.format(command="exit 1"))
    queuectl("apply", "jobs.d")
    queuectl("run", "--until-idle", code=1)
    (dead,) = queuectl.json("dlq", "list")
    assert (dead["spec"], dead["state"], dead["failures"]) == ("bad", "dead", 4)
    starts = [_ms(attempt["started_at"]) for attempt in queuectl.json("get", "bad")["attempts"]]
    gaps = [later - earlier for earlier, later in pairwise(starts)]
    assert len(starts) == 4
    assert all(gap >= 1000 for gap in gaps), gaps

    queuectl.spec("bad", text.format(command="echo mended"))
    queuectl("apply", "jobs.d")
    assert queuectl.states() == {dead["id"]: "pending"}
    queuectl("run", "--until-idle")
    assert queuectl.states() == {dead["id"]: "completed"}
    assert queuectl("logs", "bad") == "mended\n"
    assert queuectl.json("dlq", "list") == []


def test_a_scheduled_spec_that_died_is_redriven_as_mended(queuectl: Queuectl) -> None:
    text = 'command: {command}\nretries: 0\nschedule: "0 0 1 1 *"\n'
    queuectl.spec("yearly", text.format(command="exit 1"))
    queuectl("apply", "jobs.d")
    queuectl("trigger", "yearly")
    queuectl("run", "--until-idle", code=1)
    (dead,) = queuectl.json("dlq", "list")
    queuectl.spec("yearly", text.format(command="echo mended"))
    queuectl("apply", "jobs.d")
    assert queuectl.states() == {dead["id"]: "dead"}
    queuectl("dlq", "retry", str(dead["id"]))
    queuectl("run", "--until-idle")
    assert queuectl.states() == {dead["id"]: "completed"}
    assert queuectl("logs", str(dead["id"])) == "mended\n"


def test_every_second_one_job_per_instant_whoever_schedules(queuectl: Queuectl) -> None:
    queuectl.spec("tick", "command: 'true'\nschedule: {every: 1s}\n")
    queuectl("apply", "jobs.d")
    workers = [queuectl.start("run") for _ in range(2)]
    queuectl.wait_until(lambda: queuectl.look(lambda store: len(store.fires.list())) >= 4, "four fires")
    for worker in workers:
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(20) == 0
    fires = [fire for fire in queuectl.json("fires") if fire["outcome"] != "missed"]
    instants = [fire["due_at"] for fire in fires]
    assert len(set(instants)) == len(instants)
    assert {later - earlier for later, earlier in pairwise(map(_ms, instants))} == {1000}
    jobs = [fire["job_id"] for fire in fires if fire["job_id"]]
    assert len(set(jobs)) == len(jobs) == len(queuectl.json("list"))


def test_time_out_takes_the_whole_tree(queuectl: Queuectl) -> None:
    spec = (
        f"command: trap '' TERM; setsid sleep {NAP} & sleep {NAP}\ntimeout: 1s\nkill_after: 1s\nretries: 0\n"
    )
    queuectl.spec("stubborn", spec)
    queuectl("apply", "jobs.d")
    queuectl("run", "--until-idle", code=1)
    (attempt,) = queuectl.json("get", "stubborn")["attempts"]
    assert attempt["outcome"] == "timed_out"
    assert 1000 <= attempt["duration_ms"] < 6000
    assert not _running()


class TestStopping:
    def test_first_signal_waits_second_gives_back(self, queuectl: Queuectl) -> None:
        queuectl("enqueue", "echo started; sleep 100", "--max-retries", "0")
        worker = queuectl.start("run")
        queuectl.wait_until(lambda: queuectl.states() == {1: "processing"}, "the job runs")
        worker.send_signal(signal.SIGTERM)
        queuectl.wait_until(lambda: "stopping" in (queuectl.folder / "run0.log").read_text(), "it heard")
        assert worker.poll() is None
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(20) == 130
        job = queuectl.json("get", "1")
        assert (job["state"], job["failures"]) == ("pending", 0)
        assert [attempt["outcome"] for attempt in job["attempts"]] == ["interrupted"]

    def test_first_signal_lets_the_attempt_end(self, queuectl: Queuectl) -> None:
        flag = queuectl.folder / "flag"
        queuectl("enqueue", f"while [ ! -e {flag} ]; do sleep 0.05; done")
        worker = queuectl.start("run")
        queuectl.wait_until(lambda: queuectl.states() == {1: "processing"}, "the job runs")
        worker.send_signal(signal.SIGTERM)
        queuectl.wait_until(lambda: "stopping" in (queuectl.folder / "run0.log").read_text(), "it heard")
        queuectl("enqueue", "true")
        flag.touch()
        assert worker.wait(20) == 0
        assert queuectl.states() == {1: "completed", 2: "pending"}

    def test_worker_stop_waits_until_it_is_gone(self, queuectl: Queuectl) -> None:
        worker = queuectl.start("run")
        queuectl.wait_until(lambda: queuectl.look(lambda store: store.workers.list()), "it is registered")
        queuectl("worker", "stop")
        assert worker.wait(5) == 0
        assert queuectl.json("worker", "list") == []

    def test_pause_and_resume_work_across_processes(self, queuectl: Queuectl) -> None:
        queuectl.start("run")
        queuectl.wait_until(lambda: queuectl.look(lambda store: store.workers.list()), "it is registered")
        queuectl("worker", "pause")
        queuectl("queue", "pause", "other")
        queuectl("enqueue", "true")
        queuectl("enqueue", "true", "--queue", "other")
        queuectl("worker", "resume")
        queuectl.wait_until(
            lambda: queuectl.states() == {1: "completed", 2: "pending"}, "only the open queue"
        )
        queuectl("queue", "resume", "other")
        queuectl("wait", "2")
        assert queuectl.states() == {1: "completed", 2: "completed"}


class TestCrash:
    def test_kill_9_the_next_run_reruns_the_job_and_nothing_is_left(self, queuectl: Queuectl) -> None:
        ran = queuectl.folder / "ran"
        queuectl(
            "enqueue",
            f"echo $$ >> {ran}; [ $QUEUECTL_ATTEMPT = 2 ] || {{ setsid sleep {NAP} & sleep {NAP}; }}",
        )
        worker = queuectl.start("run")
        queuectl.wait_until(lambda: _running() and ran.exists(), "the job runs")
        worker.kill()
        worker.wait()
        assert _running(), "the orphan lives on"
        queuectl("run", "--until-idle")
        job = queuectl.json("get", "1")
        assert job["state"] == "completed"
        assert [attempt["outcome"] for attempt in job["attempts"]] == ["lost", "succeeded"]
        assert len(ran.read_text().split()) == 2
        assert not _running()
        assert queuectl.json("worker", "list") == []

    def test_a_job_that_kills_its_worker_dies_too(self, queuectl: Queuectl) -> None:
        queuectl("enqueue", "kill -9 $PPID", "--max-retries", "1")
        for _ in range(2):
            assert queuectl.run("run", "--until-idle").returncode == -signal.SIGKILL
        queuectl("run", "--until-idle", code=1)
        job = queuectl.json("get", "1")
        assert job["state"] == "dead"
        assert "worker died" in job["reason"]


def test_cancel_reaches_a_running_job(queuectl: Queuectl) -> None:
    queuectl("enqueue", f"sleep {NAP}")
    queuectl.start("run")
    queuectl.wait_until(lambda: queuectl.states() == {1: "processing"}, "the job runs")
    queuectl("cancel", "1")
    queuectl.wait_until(lambda: queuectl.states() == {1: "cancelled"}, "it is cancelled")
    assert not _running()


def test_logs_follow_a_running_attempt(queuectl: Queuectl) -> None:
    flag = queuectl.folder / "flag"
    queuectl("enqueue", f"echo one; while [ ! -e {flag} ]; do sleep 0.05; done; echo two")
    queuectl.start("run")
    queuectl.wait_until(lambda: queuectl.states() == {1: "processing"}, "the job runs")
    queuectl.wait_until(lambda: queuectl("logs", "1") == "one\n", "the first line is there")
    flag.touch()
    assert queuectl("logs", "-f", "1") == "one\ntwo\n"


def test_a_detached_worker_is_a_daemon_of_its_own(queuectl: Queuectl) -> None:
    queuectl("worker", "start", "--detach", "--count", "2")
    try:
        (worker,) = queuectl.json("worker", "list")
        process = psutil.Process(worker["pid"])
        assert os.getsid(process.pid) == process.pid
        assert process.terminal() is None
        assert worker["slots"] == 2
        queuectl("enqueue", "echo from afar", "--wait")
        assert queuectl("logs", "1") == "from afar\n"
    finally:
        queuectl("worker", "stop")
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_watch_applies_again_and_survives_a_broken_file(queuectl: Queuectl) -> None:
    queuectl.spec("one", "command: echo 1\n")
    queuectl.start("run", "jobs.d", "--watch")
    log = queuectl.folder / "run0.log"
    queuectl.wait_until(lambda: queuectl.states() == {1: "completed"}, "the first job")
    queuectl.spec("two", "commando: echo 2\n")
    queuectl.wait_until(lambda: "did you mean" in log.read_text(), "the broken file is named")
    queuectl.spec("two", "command: echo 2\n")
    queuectl.wait_until(lambda: queuectl.states() == {1: "completed", 2: "completed"}, "the second job")


def test_the_log_for_machines(queuectl: Queuectl) -> None:
    queuectl("enqueue", "exit 7", "--max-retries", "0")
    done = queuectl.run("run", "--until-idle", "--log-format", "json")
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert [event["event"] for event in events] == ["worker started", "started", "dead", "worker stopped"]
    assert events[2]["reason"] == "exit code 7"


def test_the_environment_of_a_job(queuectl: Queuectl) -> None:
    queuectl.spec("env", "command: env; cat; readlink /proc/self/fd/0 || true\nschedule: {every: 1h}\n")
    queuectl("apply", "jobs.d")
    queuectl("run", "--until-idle", QUEUECTL_LOG_LEVEL="error")
    output = queuectl("logs", "env")
    for line in (
        "QUEUECTL_JOB_ID=1",
        "QUEUECTL_ATTEMPT=1",
        "QUEUECTL_SPEC=env",
        f"QUEUECTL_DB={queuectl.db}",
    ):
        assert line in output.splitlines()
    assert "QUEUECTL_FIRE_AT=20" in output
    assert "QUEUECTL_LOG_LEVEL" not in output


@pytest.mark.parametrize("content", [b"", b"just text, no queue\n" * 9, b"SQLite format 3\0" + bytes(500)])
def test_a_file_that_is_no_queue_stays_as_it_is(queuectl: Queuectl, content: bytes) -> None:
    queuectl.db.write_bytes(content)
    for command in (["list"], ["enqueue", "true"], ["run", "--until-idle"]):
        done = queuectl.run(*command)
        assert done.returncode == 5, done.stderr
        assert done.stderr.count("\n") == 1
        assert str(queuectl.db) in done.stderr
    assert queuectl.db.read_bytes() == content


def _running() -> list[psutil.Process]:
    """Return the live processes that sleep for NAP seconds."""
    return [
        process
        for process in psutil.process_iter(["cmdline", "status"])
        if NAP in (process.info["cmdline"] or []) and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


def _ms(instant: str) -> int:
    return round(datetime.fromisoformat(instant).timestamp() * 1000)
