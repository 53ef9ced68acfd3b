"""Section A: worker death, leases, ownership."""

from __future__ import annotations

import itertools
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import apsw
import psutil
import pytest

from queuectl.engine.mark import process_mark
from queuectl.engine.output import writer_of
from queuectl.engine.rescue import Rescuer, clear_away, left_behind
from queuectl.model.states import JobState
from tests.command import Queuectl
from tests.engine.simulation import FakeClock, Simulation
from tests.faults.machine import need, need_tool
from tests.faults.pace import KILL_AFTER_S, LEASE_S, SLACK_S
from tests.faults.tracing import ENOUGH, injecting, killed_at_each

SECOND = 1_000
HANGS_ONCE = "echo $QUEUECTL_ATTEMPT | tee -a ran; [ $QUEUECTL_ATTEMPT -gt 1 ] || exec sleep 600"
LOCKED = "exec 9>lock; flock -n 9 || echo overlap >> ran; "
"""Whoever has inherited the lock and still lives shows itself."""
LINUX = sys.platform == "linux"


@pytest.fixture(autouse=True)
def nothing_left(queuectl: Queuectl) -> Iterator[None]:
    """End what the jobs of a test still run: their workers don't, once they are killed."""
    yield
    for process in queuectl.started:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
    queuectl.end()
    for worker in psutil.process_iter():
        with suppress(psutil.Error):
            if worker.environ().get("QUEUECTL_DB") == str(queuectl.db):
                worker.kill()


# What the tests look at


def attempts(queuectl: Queuectl, job_id: int = 1) -> list[tuple[str | None, str | None]]:
    """Outcome and error of each."""
    return queuectl.look(
        lambda store: [(one.outcome, one.error) for one in store.attempts.of_job(job_id)],
    )


def outcomes(queuectl: Queuectl, job_id: int = 1) -> list[str | None]:
    return [outcome for outcome, _ in attempts(queuectl, job_id)]


def all_are(queuectl: Queuectl, state: str) -> bool:
    return set(queuectl.states().values()) == {state}


def lines(queuectl: Queuectl, name: str = "ran") -> list[str]:
    path = queuectl.folder / name
    return path.read_text().split() if path.exists() else []


def journal(queuectl: Queuectl, process: subprocess.Popen[str]) -> str:
    """What a started command has said."""
    return (queuectl.folder / f"run{queuectl.started.index(process)}.log").read_text()


def worker_ids(queuectl: Queuectl) -> list[str]:
    return queuectl.look(lambda store: [worker.id for worker in store.workers.list()])


def slot_files(queuectl: Queuectl) -> list[str]:
    """Files that the attempts of any worker write to while they run."""
    return [path.name for path in queuectl.folder.rglob("*.log") if writer_of(path.name)]


def is_sound(queuectl: Queuectl) -> bool:
    connection = apsw.Connection(str(queuectl.db), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return list(connection.execute("PRAGMA integrity_check")) == [("ok",)]
    finally:
        connection.close()


def forge(queuectl: Queuectl, sql: str, *values: Any) -> None:
    """Write to the queue as something else would have."""
    connection = apsw.Connection(str(queuectl.db))
    connection.set_busy_timeout(10_000)
    connection.execute(sql, values)
    connection.close()


@contextmanager
def locked(queuectl: Queuectl) -> Iterator[apsw.Connection]:
    """Keep everybody from writing."""
    connection = apsw.Connection(str(queuectl.db))
    connection.set_busy_timeout(10_000)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        yield connection
        connection.execute("COMMIT")
    finally:
        connection.close()


def start_worker(queuectl: Queuectl, *arguments: str, **more: Any) -> subprocess.Popen[str]:
    """Start a worker and wait until it is there."""
    before = set(worker_ids(queuectl))
    worker = queuectl.start("run", *arguments, **more)
    queuectl.wait_until(lambda: set(worker_ids(queuectl)) - before, "the worker is registered")
    return worker


def start_with_job(queuectl: Queuectl, job_id: int = 1) -> tuple[subprocess.Popen[str], int]:
    """Start a worker; return it and the pid of the job that it runs, once that is in the queue."""
    worker = queuectl.start("run")
    return worker, pid_of(queuectl, job_id)


def pid_of(queuectl: Queuectl, job_id: int = 1) -> int:
    """Wait until the process of a job's latest attempt is in the queue."""

    def found() -> int | None:
        number = queuectl.look(
            lambda store: [one.pid for one in store.attempts.of_job(job_id) if not one.outcome]
        )
        return number[-1] if number else None

    pid: int = queuectl.wait_until(found, f"the process of job {job_id} is recorded")
    return pid


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()


def let_time_pass(seconds: float) -> None:
    """For what must not happen, or is stopped."""
    time.sleep(seconds)


def runs(pid: int) -> bool:
    return process_mark(pid) is not None


# A01–A03: killed


def test_a01_a_killed_workers_job_runs_again_at_once(queuectl: Queuectl) -> None:
    queuectl("enqueue", HANGS_ONCE)
    victim, _ = start_with_job(queuectl)
    start_worker(queuectl)
    kill(victim)
    killed_at = time.monotonic()
    queuectl.wait_until(lambda: all_are(queuectl, "completed"), "it ran again")
    assert time.monotonic() - killed_at < SLACK_S
    assert outcomes(queuectl) == ["lost", "succeeded"]
    job = queuectl.json("get", "1")
    assert (job["attempt"], job["failures"]) == (2, 1)
    assert queuectl("logs", "1", "--attempt", "1") == "1\n", "what it had written is kept"
    assert lines(queuectl) == ["1", "2"]


def test_a01_of_a_worker_elsewhere_when_its_lease_is_over(queuectl: Queuectl) -> None:
    queuectl("enqueue", HANGS_ONCE)
    victim, _ = start_with_job(queuectl)
    forge(queuectl, "UPDATE workers SET host = 'elsewhere'")
    kill(victim)
    watched_from = time.monotonic()
    start_worker(queuectl)
    queuectl.wait_until(lambda: all_are(queuectl, "completed"), "it ran again")
    assert LEASE_S < time.monotonic() - watched_from < LEASE_S + SLACK_S
    assert outcomes(queuectl) == ["lost", "succeeded"]


def test_a01_without_retries_it_is_not_run_twice(queuectl: Queuectl) -> None:
    queuectl("enqueue", HANGS_ONCE, "--max-retries", "0")
    victim, pid = start_with_job(queuectl)
    kill(victim)
    queuectl("run", "--until-idle", code=1)
    job = queuectl.json("get", "1")
    assert (job["state"], job["reason"]) == ("dead", "its worker died during attempt 1")
    assert lines(queuectl) == ["1"]
    assert not runs(pid)


def test_a02_killed_between_claim_and_start(queuectl: Queuectl) -> None:
    queuectl("enqueue", "echo ran >> ran")
    under = injecting(queuectl, "clone,clone3,?vfork,?fork", "signal=SIGKILL", when="1")
    assert under.run("run", "--until-idle").returncode in {-9, 137}
    assert all_are(queuectl, "processing")
    assert lines(queuectl) == []
    queuectl("run", "--until-idle")
    assert attempts(queuectl) == [("lost", "its worker died as it started"), ("succeeded", None)]
    assert lines(queuectl) == ["ran"]


ESCAPES = {
    "in its session": "sleep 600 & wait",
    "in a session of its own": "setsid sleep 600 & wait",
    "forked twice": "(setsid sh -c 'sleep 600 & exit' &); sleep 600",
    "without a mark": "(env -i setsid sleep 600 &); sleep 600",
    "without a mark, or the output": "(env -i sleep 600 >/dev/null 2>&1 &); sleep 600",
}


@pytest.mark.parametrize("how", ESCAPES)
def test_a03_what_lives_on_dies_before_the_job_runs_again(queuectl: Queuectl, how: str) -> None:
    need(LINUX, "Linux, to find what has left the session")
    need_tool("flock")
    command = f"{LOCKED} echo $QUEUECTL_ATTEMPT >> ran; [ $QUEUECTL_ATTEMPT -gt 1 ] && exit; {ESCAPES[how]}"
    queuectl("enqueue", command)
    victim, pid = start_with_job(queuectl)
    old = queuectl.wait_until(lambda: sleepers(victim.pid), "what it leaves is there")
    kill(victim)
    assert runs(pid)
    queuectl("run", "--until-idle")
    assert lines(queuectl) == ["1", "2"], "no overlap"
    assert outcomes(queuectl) == ["lost", "succeeded"]
    assert not any(process.is_running() for process in psutil.wait_procs(old, SLACK_S)[1])


def sleepers(worker: int) -> list[psutil.Process]:
    """What a worker's jobs run, once there is one that sleeps."""
    found = below(worker)
    return found if any(is_a_sleep(process) for process in found) else []


def below(pid: int) -> list[psutil.Process]:
    """Descendants of a process."""
    with suppress(psutil.Error):
        return psutil.Process(pid).children(recursive=True)
    return []


def is_a_sleep(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return process.name() == "sleep"
    return False


def test_a03_fifty_jobs_run_again_and_nothing_of_the_old_ones_is_left(queuectl: Queuectl) -> None:
    need(LINUX, "Linux, to find what has left the session")
    escapes = "sleep 600 & setsid sleep 600 & (setsid sh -c 'sleep 600 & exit' &); (env -i setsid sleep 600 &); wait"
    once = f"echo $QUEUECTL_ATTEMPT >> ran; [ $QUEUECTL_ATTEMPT -gt 1 ] || {{ {escapes}; }}"
    queuectl("enqueue", "-", stdin=f"{once}\n" * 50)
    at_length = {
        "QUEUECTL_LEASE": "30s",
        "QUEUECTL_HEARTBEAT": "5s",
    }  # a loaded machine may need a while for so many
    victim = queuectl.start("run", "--slots", "50", **at_length)

    def all_there() -> list[psutil.Process]:
        found = below(victim.pid)
        return found if sum(is_a_sleep(process) for process in found) == 200 else []

    queuectl.wait_until(lambda: len(lines(queuectl)) == 50, "all run")
    old = queuectl.wait_until(all_there, "all that they start is there")
    kill(victim)
    started_at = time.monotonic()
    queuectl.start("run", "--slots", "50", **at_length)
    queuectl.wait_until(lambda: lines(queuectl).count("2") == 50, "all run again")
    took = time.monotonic() - started_at
    print(f"{len(old)} processes of 50 jobs; all jobs ran again after {took:.2f} s")
    assert took < 2 + SLACK_S
    assert not [process for process in old if process.is_running() and runs(process.pid)]
    queuectl.wait_until(lambda: all_are(queuectl, "completed"), "all complete")
    assert all(outcomes(queuectl, number) == ["lost", "succeeded"] for number in range(1, 51))


# A04–A06: stopped, and locked out


def test_a04_a_stopped_worker_comes_back_after_another_took_over(queuectl: Queuectl) -> None:
    queuectl("enqueue", HANGS_ONCE)
    stopped, old = start_with_job(queuectl)
    stopped.send_signal(signal.SIGSTOP)
    start_worker(queuectl)
    queuectl.wait_until(lambda: all_are(queuectl, "completed"), "another one ran it")
    assert not runs(old)
    stopped.send_signal(signal.SIGCONT)
    queuectl.wait_until(lambda: " fenced " in journal(queuectl, stopped), "it says that it was fenced")
    assert outcomes(queuectl) == ["lost", "succeeded"]
    queuectl.wait_until(lambda: len(worker_ids(queuectl)) == 2, "it is a worker again")


def test_a04_a_fenced_worker_kills_what_it_runs_and_reports_nothing(queuectl: Queuectl) -> None:
    """The other one is on another host: it can't kill what is left of the job."""
    queuectl("enqueue", HANGS_ONCE)
    stopped, old = start_with_job(queuectl)
    stopped.send_signal(signal.SIGSTOP)
    elsewhere = queuectl.look(rescued_from_elsewhere)
    assert elsewhere == [JobState.PENDING]
    assert runs(old)
    stopped.send_signal(signal.SIGCONT)
    queuectl.wait_until(lambda: not runs(old), "it kills what it runs")
    queuectl.wait_until(lambda: all_are(queuectl, "completed"), "it runs the job again, under a new name")
    assert attempts(queuectl) == [("lost", None), ("succeeded", None)]
    assert " interrupted " not in journal(queuectl, stopped)
    assert lines(queuectl) == ["1", "2"]


def rescued_from_elsewhere(store: Any) -> list[JobState]:
    """Take the jobs of all workers back as a worker on another host does when their leases are over."""
    rescuer = Rescuer(
        store,
        host="elsewhere",
        lease_ms=round(LEASE_S * SECOND),
        poll_ms=100,
        is_alive=lambda _pid, _mark: False,
        kill_leftovers=lambda _worker, _processes: 0,
        left_behind=lambda attempt, size: left_behind(Path("/nowhere"), attempt, size),
        clear_away=lambda _in_use: None,
    )
    states: list[JobState] = []
    for mono in range(0, round(2 * LEASE_S * SECOND), 100):
        states += rescuer.rescue(worker="me", now=round(time.time() * SECOND), mono=mono)
    return states


def test_a04_a_late_end_is_refused(tmp_path: Path) -> None:
    """It comes before the heartbeat that would tell the worker."""
    clock = FakeClock()
    late = Simulation(tmp_path / "q.db", name="late", clock=clock)
    late.add(retries=9)
    late.settle()
    other = Simulation(tmp_path / "q.db", name="other", clock=clock, dead_processes={1: "late"})
    other.settle()
    late.spawner.end((1, 1))
    late.tick(after_ms=1)
    assert other.outcomes(1) == ["lost", None]
    assert other.states() == {1: "processing"}
    other.spawner.end((1, 2))
    other.settle()
    assert other.outcomes(1) == ["lost", "succeeded"]


def test_a04_what_was_claimed_before_it_stood_still_is_not_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others have taken it back by then, and may run it."""
    clock = FakeClock()
    stopped = Simulation(tmp_path / "q.db", name="stopped", clock=clock)
    other = Simulation(tmp_path / "q.db", name="other", clock=clock)
    stopped.settle()
    claim = stopped.store.jobs.claim

    def stands_still_after_it(**wanted: Any) -> Any:
        claimed = claim(**wanted)
        clock.elapsed += 2 * stopped.config.lease
        return claimed

    monkeypatch.setattr(stopped.store.jobs, "claim", stands_still_after_it)
    stopped.add()
    stopped.tick()
    assert stopped.spawner.running() == []
    stopped.store.workers.leave("stopped")  # as when another declares it dead
    other.settle(after_ms=other.config.poll_interval)
    assert other.spawner.running() == [(1, 2)]
    monkeypatch.undo()
    stopped.settle(after_ms=stopped.config.poll_interval)
    assert stopped.spawner.running() == []
    assert stopped.outcomes(1) == ["lost", None]


def test_a05_a_stopped_job_is_timed_out_and_not_lost(queuectl: Queuectl) -> None:
    timeout = LEASE_S + 1
    queuectl("enqueue", "sleep 600", "--timeout", f"{timeout}s", "--max-retries", "0")
    worker, pid = start_with_job(queuectl)
    os.kill(pid, signal.SIGSTOP)
    start_worker(queuectl)
    queuectl.wait_until(lambda: all_are(queuectl, "dead"), "it is timed out")
    assert outcomes(queuectl) == ["timed_out"]
    (attempt,) = queuectl.json("get", "1")["attempts"]
    assert timeout <= attempt["duration_ms"] / SECOND < timeout + KILL_AFTER_S + SLACK_S
    assert "fenced" not in journal(queuectl, worker)
    assert not runs(pid)


def test_a06_a_queue_that_is_locked_past_the_lease_costs_no_attempt(queuectl: Queuectl) -> None:
    for seconds in (1, LEASE_S + 2):
        queuectl("enqueue", f"echo $QUEUECTL_JOB_ID >> ran; sleep {seconds}", "--max-retries", "0")
    workers = [queuectl.start("run", "--slots", "1") for _ in range(2)]
    for number in (1, 2):
        pid_of(queuectl, number)
    with locked(queuectl):
        let_time_pass(LEASE_S + 1)
    queuectl.wait_until(lambda: all_are(queuectl, "completed"), "both complete")
    assert outcomes(queuectl, 1) == outcomes(queuectl, 2) == ["succeeded"]
    assert sorted(lines(queuectl)) == ["1", "2"]
    for worker in workers:
        assert "fenced" not in journal(queuectl, worker)
        assert journal(queuectl, worker).count("store unavailable") <= 1 + LEASE_S / 10


def test_a06_whoever_lost_its_lease_meanwhile_kills_its_own_child(queuectl: Queuectl) -> None:
    queuectl("enqueue", HANGS_ONCE)
    worker, pid = start_with_job(queuectl)
    with locked(queuectl) as connection:
        let_time_pass(LEASE_S)
        connection.execute("DELETE FROM workers")
    queuectl.wait_until(lambda: not runs(pid), "it kills its child")
    queuectl.wait_until(lambda: all_are(queuectl, "completed"), "the job runs again")
    assert outcomes(queuectl) == ["lost", "succeeded"]
    assert " fenced " in journal(queuectl, worker)


# A07–A08: killed while it writes


def test_a07_killed_at_each_sync_a_job_is_finished_once_or_runs_again(queuectl: Queuectl) -> None:
    seen = set()
    queuectl("enqueue", "echo $QUEUECTL_JOB_ID >> ran")
    for job_id, done in killed_at_each(queuectl, "fdatasync", "run", "--until-idle"):
        before = queuectl.states()[job_id], *outcomes(queuectl, job_id)
        seen.add(before)
        assert before in {("pending",), ("processing", None), ("completed", "succeeded")}
        queuectl("run", "--until-idle")
        after = outcomes(queuectl, job_id)
        assert after == (["lost", "succeeded"] if before[0] == "processing" else ["succeeded"])
        assert 1 <= lines(queuectl).count(str(job_id)) <= len(after)
        if done.returncode != 0:
            queuectl("enqueue", "echo $QUEUECTL_JOB_ID >> ran")
    assert len(seen) == 3, "killed before, amid and after"
    assert all_are(queuectl, "completed")
    assert is_sound(queuectl)


@pytest.mark.parametrize(
    ("call", "number"), [("fdatasync", 2), ("kill", 1), ("fdatasync", 3), ("fdatasync", 4)]
)
def test_a08_killed_while_it_rescues_and_the_next_one_goes_on(
    queuectl: Queuectl, call: str, number: int
) -> None:
    """Kill it as it declares the worker dead, ends what is left, returns the job, and claims it."""
    queuectl("enqueue", HANGS_ONCE)
    victim, pid = start_with_job(queuectl)
    kill(victim)
    rescuer = injecting(queuectl, call, "signal=SIGKILL", when=str(number))
    assert rescuer.run("run", "--until-idle").returncode in {-9, 137}
    queuectl("run", "--until-idle")
    assert all_are(queuectl, "completed")
    assert outcomes(queuectl).count("succeeded") == 1
    assert outcomes(queuectl)[0] == "lost"
    assert not runs(pid)
    assert slot_files(queuectl) == [], "what it left unfinished was tidied up, too"
    assert len(queuectl.states()) == 1, "the sweep is no job"


def test_a08_killed_when_it_has_left_the_next_one_tidies_up(queuectl: Queuectl) -> None:
    """It is registered no more: nobody finds it dead."""
    left = []
    queuectl("enqueue", "true")
    for _ in killed_at_each(queuectl, "unlink", "run", "--until-idle"):
        left += slot_files(queuectl)
        queuectl("run", "--until-idle")
        assert slot_files(queuectl) == []
        queuectl("enqueue", "true")
    assert left, "it was killed before it had removed its own"


def test_a08_a_sweep_that_takes_long_does_not_cost_the_lease(tmp_path: Path) -> None:
    clock = FakeClock()
    for name in ("v1", "v2"):
        victim = Simulation(tmp_path / "q.db", name=name, clock=clock, slots=1)
        victim.add()
        victim.settle()
    other = Simulation(tmp_path / "q.db", name="other", clock=clock, dead_processes={1: "v1", 2: "v2"})
    beats = []

    def kills_for_long(worker: str, _processes: object) -> int:
        beats.append(next(one.beat for one in other.store.workers.list() if one.id == "other"))
        clock.elapsed += 2 * other.config.lease
        return 0

    other.engine._rescuer._kill_leftovers = kills_for_long
    other.settle()
    assert beats[0] < beats[1], "it shows that it lives between one and the other"
    assert other.spawner.running() == [(1, 2), (2, 2)], "none of them was given back as claimed too long ago"


def test_a08_files_of_the_dead_go_and_those_of_the_living_stay(tmp_path: Path) -> None:
    dead, alive = "0b8f4b52-6f0c-4e0a-9a53-0f1c5a3c7f11", "c0a1e7de-2f62-4f3c-8d0f-6a8f4e7a9b22"
    names = [f"{dead}-0.log", f"{dead}-12.log", f"{alive}-0.log", "12-1.log", f"{dead}.log", "notes-1.log"]
    for name in names:
        (tmp_path / name).touch()
    clear_away(tmp_path, lambda: {alive})
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names[2:])
    clear_away(tmp_path / "missing", set)


# A09–A11: many, the same again, and killers


def test_a09_one_orphan_among_a_thousand_long_jobs_is_found_in_one_look(tmp_path: Path) -> None:
    clock = FakeClock()
    busy = Simulation(tmp_path / "q.db", name="busy", clock=clock, slots=1000)
    with busy.store.transaction():
        for _ in range(1000):
            busy.add()
    busy.settle()
    victim = Simulation(tmp_path / "q.db", name="victim", clock=clock, slots=1)
    victim.add()
    victim.settle()
    assert len(busy.spawner.running()) == 1000
    other = Simulation(tmp_path / "q.db", name="other", clock=clock, slots=1, dead_processes={1: "victim"})
    other.tick()
    assert other.killed == ["victim"]
    assert other.spawner.running() == [(1001, 2)]
    assert set(busy.outcomes(1) + busy.outcomes(1000)) == {None}


def test_a10_a_worker_that_starts_again_is_another_one(queuectl: Queuectl) -> None:
    queuectl("enqueue", HANGS_ONCE)
    victim, _ = start_with_job(queuectl)
    (before,) = worker_ids(queuectl)
    kill(victim)
    start_worker(queuectl)
    queuectl.wait_until(lambda: all_are(queuectl, "completed"), "the old one's job was taken back")
    assert outcomes(queuectl) == ["lost", "succeeded"]
    (after,) = worker_ids(queuectl)
    assert before != after


def test_a10_one_with_the_same_pid_in_the_next_container_is_another_one(queuectl: Queuectl) -> None:
    """Both have pid 1 on the same host name. Nobody sees into another container: the lease decides."""
    contained = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
    can = LINUX and subprocess.run([*contained, "true"], check=False, capture_output=True).returncode == 0
    need(can, "the right to make a pid namespace")
    queuectl("enqueue", HANGS_ONCE)
    inside = queuectl.under(*contained)
    victim = inside.start("run")
    pid_of(queuectl)
    kill(victim)
    start_worker(inside)
    queuectl.wait_until(lambda: all_are(queuectl, "completed"), "the old one's job was taken back")
    assert outcomes(queuectl) == ["lost", "succeeded"]
    pids = queuectl.look(lambda store: [worker.pid for worker in store.workers.list()])
    assert pids == [1]


def test_a11_a_job_that_kills_its_worker_ends_dead_and_the_others_complete(queuectl: Queuectl) -> None:
    long = "sleep 1; echo $QUEUECTL_JOB_ID >> ran"
    queuectl("enqueue", "-", stdin="\n".join([*[long] * 10, "kill -9 $PPID", *[long] * 10]))
    queuectl("run", "--until-idle", "--processes", "2", "--slots", "11", code=1)
    job = queuectl.json("get", "11")
    assert (job["state"], job["failures"]) == ("dead", 4)
    assert job["reason"] == "its worker died during attempt 4"
    assert outcomes(queuectl, 11) == ["lost"] * 4
    others = {number: state for number, state in queuectl.states().items() if number != 11}
    assert len(others) == 20
    assert set(others.values()) == {"completed"}
    assert all(outcomes(queuectl, number).count("lost") <= 2 for number in others), (
        "it took them along twice at most"
    )


@pytest.mark.parametrize("seconds", [2, 60, 3000])
def test_a11_a_quarantined_job_has_its_turn_on_a_worker_that_is_never_idle(
    tmp_path: Path, seconds: int
) -> None:
    """Its slots are filled as soon as they are free, with jobs that take so long."""
    clock, worker, killer = never_idle(tmp_path)
    overtaken = 0
    while (killer, 1) not in worker.spawner.running():
        oldest = worker.spawner.running()[0]
        worker.spawner.end(oldest)
        worker.add()
        before = len(worker.store.jobs.list(limit=10_000))
        worker.settle(after_ms=seconds * SECOND // 2)
        overtaken += len(worker.spawner.running()) == 2
        assert before < 1000
    assert worker.spawner.running() == [(killer, 1)], "alone"
    assert clock.elapsed < 8 * max(30, seconds) * SECOND
    assert overtaken, "the others went on for a while"


def test_a11_nobody_stands_still_for_a_quarantined_job_for_ever(tmp_path: Path) -> None:
    """What runs has no timeout and does not end: the other slot is used all the time."""
    _, worker, killer = never_idle(tmp_path, timeout_ms="none")
    service, _ = worker.spawner.running()
    for _ in range(100):
        (other,) = set(worker.spawner.running()) - {service}
        worker.spawner.end(other)
        worker.add()
        worker.settle(after_ms=10 * SECOND)
        assert len(worker.spawner.running()) == 2
    worker.spawner.end(service)
    (other,) = worker.spawner.running()
    worker.spawner.end(other)
    worker.settle()
    assert worker.spawner.running() == [(killer, 1)]


def never_idle(folder: Path, **fields: object) -> tuple[FakeClock, Simulation, int]:
    """Make a worker with two busy slots, and a job for it that two workers died under. Returns its id, too."""
    clock = FakeClock()
    worker = Simulation(folder / "q.db", clock=clock, slots=2)
    worker.add(**fields)  # type: ignore[arg-type]
    worker.add()
    worker.settle()
    killer = worker.add(priority=1).id
    worker.store.database._connection.execute("UPDATE jobs SET losses = 2 WHERE id = ?", (killer,))  # type: ignore[attr-defined]
    worker.add()
    return clock, worker, killer


# A12–A15: told to stop


def test_a12_sigterm_lets_running_jobs_finish_and_claims_no_more(queuectl: Queuectl) -> None:
    for _ in range(2):
        queuectl("enqueue", "sleep 1")
    worker = queuectl.start("run", "--slots", "1")
    pid_of(queuectl)
    worker.terminate()
    assert worker.wait(1 + SLACK_S) == 0
    assert queuectl.states() == {1: "completed", 2: "pending"}


def test_a12_what_does_not_finish_in_its_grace_goes_back_to_pending(queuectl: Queuectl) -> None:
    queuectl("enqueue", "trap '' TERM; sleep 600 & wait; wait", "--max-retries", "0")
    worker = queuectl.start("run", QUEUECTL_STOP_GRACE="500ms")
    pid = pid_of(queuectl)
    stopped_at = time.monotonic()
    worker.terminate()
    assert worker.wait(0.5 + KILL_AFTER_S + SLACK_S) == 130, "a forced stop"
    assert time.monotonic() - stopped_at > 0.5
    given_back(queuectl, pid)


def test_a12_a_stop_of_the_group_while_a_job_is_started_counts_as_interrupted(queuectl: Queuectl) -> None:
    """Between its clone and its setsid it still is in the worker's group, where a Ctrl-C hits it, too."""
    queuectl("enqueue", "sleep 600", "--max-retries", "0")
    worker = injecting(queuectl, "setsid", "delay_enter=2000000", when="1+").start("run", group=True)
    queuectl.wait_until(lambda: all_are(queuectl, "processing"), "it is claimed")
    _, child = queuectl.wait_until(lambda: two_below(worker.pid), "it is cloned")
    assert os.getpgid(child.pid) == worker.pid, "it has not left the group yet"
    os.killpg(worker.pid, signal.SIGINT)
    assert worker.wait(SLACK_S) == 0
    given_back(queuectl, child.pid)


def two_below(pid: int) -> list[psutil.Process]:
    """The worker and the job below a strace."""
    found = below(pid)
    return found if len(found) == 2 else []


def given_back(queuectl: Queuectl, pid: int, *, job_id: int = 1) -> None:
    """See that a job which a stop ended is to run again, and that it is not its failure."""
    job = queuectl.json("get", str(job_id))
    assert job["state"] == "pending"
    assert job["failures"] == 0
    assert job["reason"].startswith("interrupted")
    assert outcomes(queuectl, job_id) == ["interrupted"]
    assert not runs(pid)


@pytest.mark.parametrize("more", [[signal.SIGTERM] * 4, [signal.SIGINT]], ids=["TERM x5", "TERM INT"])
def test_a13_whatever_comes_after_the_first_means_now(queuectl: Queuectl, more: list[signal.Signals]) -> None:
    for _ in range(2):
        queuectl("enqueue", "trap '' TERM; sleep 600 & wait; wait", "--max-retries", "0")
    worker = queuectl.start("run")
    pids = [pid_of(queuectl, number) for number in (1, 2)]
    worker.terminate()
    queuectl.wait_until(lambda: "mode=graceful" in journal(queuectl, worker), "it heard the first")
    for number in more:
        worker.send_signal(number)
    assert worker.wait(KILL_AFTER_S + SLACK_S) == 130
    for number, pid in enumerate(pids, 1):
        given_back(queuectl, pid, job_id=number)


@pytest.mark.parametrize("call", ["fsync", "fdatasync", "?link,linkat"])
def test_a14_killed_as_it_makes_the_queue_the_next_start_works(queuectl: Queuectl, call: str) -> None:
    kills = -1
    for _, done in killed_at_each(queuectl, call, "run", "--until-idle"):
        kills += 1
        assert done.stderr.count("Traceback") == 0
        queuectl("run", "--until-idle")
        assert is_sound(queuectl)
        for suffix in ("", "-wal", "-shm"):
            queuectl.db.with_name(f"q.db{suffix}").unlink(missing_ok=True)
    assert kills > 0


@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL"])
def test_a14_stopped_anywhere_in_its_start_the_next_start_works(queuectl: Queuectl, name: str) -> None:
    queuectl("enqueue", "true", "--max-retries", "9")
    codes = set()
    for when in itertools.count(60, 120):
        assert when < 10 * ENOUGH
        if all_are(queuectl, "completed"):
            break
        done = injecting(queuectl, "openat", f"signal={name}", when=str(when)).run("run", "--until-idle")
        assert "Traceback" not in done.stderr
        codes.add(done.returncode)
    assert codes <= {0, 143, -15, 137, -9}
    assert codes != {0}
    assert "succeeded" in outcomes(queuectl)
    assert is_sound(queuectl)


def test_a15_a_hang_up_lets_running_jobs_finish(queuectl: Queuectl) -> None:
    queuectl("enqueue", "sleep 1")
    worker, _ = start_with_job(queuectl)
    for _ in range(3):
        worker.send_signal(signal.SIGHUP)
    assert worker.wait(1 + SLACK_S) == 0
    assert all_are(queuectl, "completed")


def test_a15_a_hang_up_applies_again_where_it_watches(queuectl: Queuectl) -> None:
    queuectl.spec("one", "command: 'true'\n")
    worker = queuectl.start(
        "run", "jobs.d", "--watch", QUEUECTL_POLL_INTERVAL="600s", QUEUECTL_HEARTBEAT="0.5s"
    )
    queuectl.wait_until(lambda: queuectl.states() == {1: "completed"}, "it has started")
    before = journal(queuectl, worker).count(" applied ")
    worker.send_signal(signal.SIGHUP)
    queuectl.wait_until(lambda: journal(queuectl, worker).count(" applied ") > before, "it applied again")
    assert worker.poll() is None


def test_a15_a_closed_terminal_lets_running_jobs_finish(queuectl: Queuectl) -> None:
    need_tool("setsid")
    queuectl("enqueue", "echo to nobody; sleep 1")
    terminal, follower = os.openpty()
    on_terminal = queuectl.under("setsid", "--ctty")
    worker = subprocess.Popen(
        on_terminal.argv("run"),
        cwd=queuectl.folder,
        env=queuectl.env,
        stdin=follower,
        stdout=follower,
        stderr=follower,
        text=True,
    )
    queuectl.started.append(worker)
    os.close(follower)
    pid_of(queuectl)
    os.close(terminal)
    assert worker.wait(1 + SLACK_S) == 0
    assert all_are(queuectl, "completed")
    assert worker_ids(queuectl) == []


# A16–A20: all at once


def test_a16_all_that_slept_past_the_lease_go_on(queuectl: Queuectl) -> None:
    for _ in range(3):
        queuectl("enqueue", f"sleep {LEASE_S + 2}")
    queuectl.spec("tick", "command: 'true'\nschedule: {every: 1s}\n")
    queuectl("apply", "jobs.d")
    workers = [start_worker(queuectl, "--slots", "2") for _ in range(3)]
    jobs = [pid_of(queuectl, number) for number in (1, 2, 3)]
    pids = [*jobs, *(worker.pid for worker in workers)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    let_time_pass(LEASE_S + 1)
    before = fires(queuectl)
    for pid in reversed(pids):
        os.kill(pid, signal.SIGCONT)
        let_time_pass(0.1)  # the first one looks before the others can show that they live
    queuectl.wait_until(lambda: fires(queuectl) >= before + 2, "the scheduler goes on")
    queuectl.wait_until(
        lambda: {queuectl.states()[number] for number in (1, 2, 3)} == {"completed"}, "so do jobs"
    )
    assert sum(len(outcomes(queuectl, number)) for number in (1, 2, 3)) <= 4, "one extra attempt at most"
    assert len(worker_ids(queuectl)) == 3
    assert all(worker.poll() is None for worker in workers)


def fires(queuectl: Queuectl) -> int:
    return queuectl.look(lambda store: len(store.fires.list()))


@pytest.mark.parametrize("how", ["moved", "deleted", "replaced"])
def test_a17_a_queue_that_goes_away_stops_its_worker(queuectl: Queuectl, how: str) -> None:
    queuectl("enqueue", "true")
    worker = start_worker(queuectl)
    queuectl.wait_until(lambda: all_are(queuectl, "completed"), "the worker runs")
    other = queuectl.folder / "other.db"
    queuectl("enqueue", "true", QUEUECTL_DB=str(other))
    if how == "moved":
        queuectl.db.rename(queuectl.folder / "old.db")
    else:
        for suffix in ("", "-wal", "-shm"):
            queuectl.db.with_name(f"q.db{suffix}").unlink(missing_ok=True)
    if how == "replaced":
        other.rename(queuectl.db)
    assert worker.wait(SLACK_S) == 4
    assert (
        journal(queuectl, worker).splitlines()[-1].startswith(f"queuectl: {queuectl.db} was moved or deleted")
    )
    if how == "replaced":
        assert queuectl.states() == {1: "pending"}
        assert is_sound(queuectl)
    else:
        assert not queuectl.db.exists(), "no fresh, empty queue"


@pytest.mark.parametrize("since", ["this boot", "another boot"])
def test_a18_a_pid_that_is_a_strangers_now_is_not_touched(queuectl: Queuectl, since: str) -> None:
    """Worker and job are gone; a process that is none of theirs has their pid, and leads a session as the job did."""
    queuectl("enqueue", HANGS_ONCE)
    victim, pid = start_with_job(queuectl)
    kill(victim)
    os.killpg(pid, signal.SIGKILL)
    queuectl.wait_until(lambda: not runs(pid), "the job is gone")
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as stranger:
        try:
            if since == "another boot":
                mark = re.sub("^[^:]*", "another-boot", process_mark(stranger.pid) or "")
                forge(queuectl, "UPDATE workers SET pid_mark = ?", mark)
                forge(queuectl, "UPDATE attempts SET pid_mark = ?", mark)
            forge(queuectl, "UPDATE workers SET pid = ?", stranger.pid)
            forge(queuectl, "UPDATE attempts SET pid = ?", stranger.pid)
            assert [worker["condition"] for worker in queuectl.json("worker", "list")] == ["dead"]
            queuectl("run", "--until-idle")
            assert stranger.poll() is None
        finally:
            stranger.kill()
    assert outcomes(queuectl) == ["lost", "succeeded"]


def test_a18_a_pid_that_the_kernel_gave_again_is_not_touched(queuectl: Queuectl) -> None:
    need(next_pid(os.getpid() + 1), "the right to say which pid is next")
    queuectl("enqueue", HANGS_ONCE)
    victim, pid = start_with_job(queuectl)
    kill(victim)
    os.killpg(pid, signal.SIGKILL)
    queuectl.wait_until(lambda: not psutil.pid_exists(pid), "its pid is free")
    stranger = None
    for _ in range(200):
        next_pid(pid)
        stranger = subprocess.Popen(["sleep", "600"], start_new_session=True)
        if stranger.pid == pid:
            break
        kill(stranger)  # type: ignore[arg-type]
    assert stranger is not None
    try:
        assert stranger.pid == pid
        queuectl("run", "--until-idle")
        assert stranger.poll() is None
    finally:
        kill(stranger)  # type: ignore[arg-type]
    assert outcomes(queuectl) == ["lost", "succeeded"]


def next_pid(pid: int) -> bool:
    """Let the next process be given this pid, or the first free one above it. Returns whether that is possible."""
    try:
        Path("/proc/sys/kernel/ns_last_pid").write_text(str(pid - 1))
    except OSError:
        return False
    return True


def test_a19_two_at_once_share_the_work_and_fire_once(queuectl: Queuectl) -> None:
    workers = [queuectl.start("run", "--slots", "2") for _ in range(2)]
    queuectl.wait_until(lambda: len(worker_ids(queuectl)) == 2, "both made, or found, the queue")
    queuectl.spec("tick", "command: echo tick >> ../ticks\nschedule: {every: 1s, overlap: allow}\n")
    queuectl("apply", "jobs.d")
    queuectl("enqueue", "-", stdin="echo $QUEUECTL_JOB_ID >> ran; sleep 0.02\n" * 60)
    queuectl.wait_until(lambda: len(lines(queuectl, "ticks")) >= 3, "it fires")
    queuectl.wait_until(lambda: len(lines(queuectl)) == 60, "all ran")
    for worker in workers:
        worker.terminate()
        assert worker.wait(SLACK_S) == 0
    assert len(set(lines(queuectl))) == 60
    assert all_are(queuectl, "completed")
    states = queuectl.states()
    assert all(outcomes(queuectl, number) == ["succeeded"] for number in states)
    made = queuectl.look(lambda store: [(fire.due_at, fire.job_id) for fire in store.fires.list()])
    assert (
        len({due for due, _ in made})
        == len({job for _, job in made})
        == len(made)
        == len(lines(queuectl, "ticks"))
    )
    who = queuectl.look(
        lambda store: {one.worker for number in states for one in store.attempts.of_job(number)}
    )
    assert len(who) == 2


def test_a20_a_worker_that_gets_hardly_any_cpu_is_not_held_for_dead(queuectl: Queuectl) -> None:
    queuectl("enqueue", f"sleep {2 * LEASE_S}", "--max-retries", "0")
    slow, _ = start_with_job(queuectl)
    observer = start_worker(queuectl)
    os.setpriority(os.PRIO_PROCESS, slow.pid, 19)
    busy = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(os.cpu_count() or 1)]
    try:
        let_time_pass(2 * LEASE_S)
    finally:
        for process in busy:
            process.kill()
            process.wait()
    queuectl.wait_until(lambda: all_are(queuectl, "completed"), "it completes")
    assert outcomes(queuectl) == ["succeeded"]
    assert "worker dead" not in journal(queuectl, observer)
    assert "fenced" not in journal(queuectl, slow)
