"""`run --processes N`: several workers under a supervisor, with real processes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import psutil

from queuectl.model.worker import Worker
from queuectl.queue import Queue
from queuectl.store.store import Store
from tests.command import Queuectl


def test_many_jobs_each_once(queuectl: Queuectl) -> None:
    ran = queuectl.folder / "ran"
    enqueue(queuectl, *(f"echo {number} >> {ran}" for number in range(40)))
    done = queuectl.run("run", "--until-idle", "--processes", "2", "--slots", "3")
    assert done.returncode == 0, done.stderr
    assert sorted(map(int, ran.read_text().split())) == list(range(40))
    assert sorted(re.findall(r"slots=(\d+)", done.stderr)) == ["3", "3", "3"]
    assert set(map(plain, done.stderr.splitlines())) == {
        "supervisor started", "worker started", "started", "completed", "worker stopped",
    }  # fmt: skip


def test_a_dead_job_in_one_of_them_is_the_answer_of_all(queuectl: Queuectl) -> None:
    enqueue(queuectl, "true", "exit 3", "true", retries=0)
    queuectl("run", "--until-idle", "--processes", "2", code=1)
    assert sorted(queuectl.states().values()) == ["completed", "completed", "dead"]


def test_one_that_is_killed_is_replaced_and_its_job_completes(queuectl: Queuectl) -> None:
    enqueue(queuectl, "[ $QUEUECTL_ATTEMPT -gt 1 ] || sleep 100")
    run, log = start(queuectl, "--slots", "2")
    queuectl.wait_until(lambda: queuectl.states() == {1: "processing"}, "the job runs")
    (victim,) = queuectl.look(lambda store: [worker.pid for worker in store.workers.list() if worker.running])
    assert psutil.Process(victim).ppid() == run.pid
    os.kill(victim, signal.SIGKILL)
    queuectl.wait_until(lambda: queuectl.states() == {1: "completed"}, "its sibling brought the job back")
    queuectl.wait_until(lambda: len(pids(queuectl) - {victim}) == 2, "two workers again")
    assert f"worker process died pid={victim} reason=SIGKILL" in log.read_text()
    assert f"before={victim}" in log.read_text()
    run.send_signal(signal.SIGTERM)
    assert run.wait(10) == 0
    assert pids(queuectl) == set()


def test_a_signal_to_the_whole_group_counts_once(queuectl: Queuectl) -> None:
    flag = queuectl.folder / "flag"
    enqueue(queuectl, f"while [ ! -e {flag} ]; do sleep 0.05; done")
    run, log = start(queuectl, group=True)
    queuectl.wait_until(lambda: "started job=1" in log.read_text(), "the job has left the group")
    os.killpg(run.pid, signal.SIGINT)
    queuectl.wait_until(lambda: log.read_text().count("worker stopped") == 1, "the idle one leaves")
    flag.touch()
    assert run.wait(10) == 0
    assert queuectl.states() == {1: "completed"}
    assert "mode=now" not in log.read_text()


def test_a_second_signal_gives_the_jobs_back(queuectl: Queuectl) -> None:
    enqueue(queuectl, "sleep 100", "sleep 100")
    run, log = start(queuectl, group=True)
    queuectl.wait_until(lambda: log.read_text().count("started job=") == 2, "both have left the group")
    os.killpg(run.pid, signal.SIGINT)
    queuectl.wait_until(lambda: log.read_text().count("mode=graceful") == 2, "both heard")
    os.killpg(run.pid, signal.SIGINT)
    assert run.wait(10) == 130
    assert set(queuectl.states().values()) == {"pending"}


def test_without_their_supervisor_they_finish_what_runs_and_leave(queuectl: Queuectl) -> None:
    flag = queuectl.folder / "flag"
    enqueue(queuectl, f"while [ ! -e {flag} ]; do sleep 0.05; done")
    run, log = start(queuectl)
    queuectl.wait_until(lambda: queuectl.states() == {1: "processing"}, "the job runs")
    workers = [psutil.Process(pid) for pid in pids(queuectl)]
    run.kill()
    run.wait()
    queuectl.wait_until(lambda: log.read_text().count("supervisor gone") == 2, "both notice")
    flag.touch()
    queuectl.wait_until(lambda: pids(queuectl) == set(), "both leave")
    assert queuectl.states() == {1: "completed"}
    psutil.wait_procs(workers, timeout=10)
    assert not any(worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE for worker in workers)


def test_a_stopped_worker_is_not_replaced_and_the_last_one_ends_it_all(queuectl: Queuectl) -> None:
    run, log = start(queuectl)
    first, _ = queuectl.look(lambda store: [worker.id for worker in store.workers.list()])
    queuectl("worker", "stop", first)
    assert len(pids(queuectl)) == 1
    assert run.poll() is None
    queuectl("worker", "stop")
    assert run.wait(10) == 0
    assert "died" not in log.read_text()


def test_one_that_cannot_start_is_tried_slowly_and_no_error_comes_twice(queuectl: Queuectl) -> None:
    run, log = start(queuectl)
    before = pids(queuectl)
    for pid in before:
        os.kill(pid, signal.SIGSTOP)
    for suffix in ("", "-wal", "-shm"):
        queuectl.db.with_name(f"q.db{suffix}").rename(queuectl.folder / f"old.db{suffix}")
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    assert run.wait(20) == 4
    assert not queuectl.db.exists()
    assert log.read_text().count("worker process replaced") <= 4
    assert log.read_text().count("queuectl: ") == 1
    assert log.read_text().splitlines()[-1].startswith(f"queuectl: {queuectl.db} was moved or deleted")


def test_another_one_watches_when_the_watcher_is_gone(queuectl: Queuectl) -> None:
    queuectl.spec("one", "command: echo 1\n")
    run, log = start(queuectl, "--watch", paths=["jobs.d"])
    queuectl.wait_until(lambda: queuectl.states() == {1: "completed"}, "the first job")
    queuectl.spec("two", "command: echo 2\n")
    queuectl.wait_until(lambda: len(queuectl.states()) == 2, "the change is seen")
    queuectl.wait_until(lambda: log.read_text().count(" applied ") == 1, "one of the workers says so")
    queuectl("worker", "stop", queuectl.look(lambda store: min(store.workers.list(), key=_pid).id))
    queuectl.spec("three", "command: echo 3\n")
    queuectl.wait_until(lambda: len(queuectl.states()) == 3, "the next change is seen")
    run.send_signal(signal.SIGHUP)
    queuectl.wait_until(lambda: log.read_text().count(" applied ") >= 3, "it applies when told to")
    assert run.poll() is None


def test_detached_workers_share_a_daemon(queuectl: Queuectl) -> None:
    queuectl("worker", "start", "--detach", "--processes", "2", "--count", "3")
    try:
        workers = queuectl.json("worker", "list")
        assert sorted(worker["slots"] for worker in workers) == [3, 3]
        (supervisor,) = {psutil.Process(worker["pid"]).ppid() for worker in workers}
        assert os.getsid(supervisor) == supervisor
    finally:
        queuectl("worker", "stop")
    queuectl.wait_until(lambda: not psutil.pid_exists(supervisor) or dead(supervisor), "it ends, too")


def enqueue(queuectl: Queuectl, *commands: str, retries: int = 3) -> None:
    with Queue(queuectl.db) as queue:
        for command in commands:
            queue.enqueue(command, retries=retries)


def start(
    queuectl: Queuectl, *options: str, paths: tuple[str, ...] | list[str] = (), group: bool = False
) -> tuple[subprocess.Popen[str], Path]:
    """Start two processes, and wait until both are there. `group`: as leader of a process group, as in a terminal."""
    log = queuectl.folder / f"run{len(queuectl.started)}.log"
    run = queuectl.start("run", *paths, "--processes", "2", *options, group=group)
    queuectl.wait_until(lambda: len(pids(queuectl)) == 2, "both are there")
    return run, log


def pids(queuectl: Queuectl) -> set[int]:
    def registered(store: Store) -> set[int]:
        return {worker.pid for worker in store.workers.list()}

    return queuectl.look(registered)


def _pid(worker: Worker) -> int:
    return worker.pid


def plain(line: str) -> str:
    """Return the name of a log line's event."""
    return re.sub(r"^\S+ \S+ | \S+=.*$", "", line)


def dead(pid: int) -> bool:
    return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
