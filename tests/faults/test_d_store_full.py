"""D03, D04: a disk that is full, and one that reports errors."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate, count
from pathlib import Path

import apsw
import pytest

from queuectl.model.states import JobState
from tests.command import Queuectl
from tests.faults.machine import fill, need, need_tool, small_disk
from tests.faults.pace import KILL_AFTER_S, SLACK_S
from tests.faults.tracing import injecting

WATCHED_S = 3.0
COMPLAINT_S = 10.0
"""At most one line about the store in this time."""
TICKS = os.sysconf("SC_CLK_TCK")


@pytest.fixture
def on_disk(queuectl: Queuectl) -> Iterator[Queuectl]:
    """The command line on a queue that has a small disk for itself; the outputs of jobs are elsewhere."""
    with small_disk(queuectl.folder / "disk", "2m") as disk:
        queuectl.db = disk / "q.db"
        queuectl.env |= {
            "QUEUECTL_DB": str(queuectl.db),
            "QUEUECTL_LOG_DIR": str(queuectl.folder / "logs"),
        }
        yield queuectl
        queuectl.end()


def waits_for(name: str) -> str:
    """Return a command that ends when a file is there, and leaves a line behind."""
    return f"while [ ! -e {name} ]; do sleep 0.05; done; echo ran >>ran"


def log_of(queuectl: Queuectl, number: int = 0) -> list[str]:
    return (queuectl.folder / f"run{number}.log").read_text().splitlines()


def complaints(queuectl: Queuectl) -> list[str]:
    return [line for line in log_of(queuectl) if "store unavailable" in line]


def cpu_s(pid: int) -> float:
    """Return the processor time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def is_whole(queuectl: Queuectl) -> bool:
    connection = apsw.Connection(str(queuectl.db))
    try:
        return connection.pragma("integrity_check") == "ok"
    finally:
        connection.close()


def starts(queuectl: Queuectl) -> int:
    ran = queuectl.folder / "ran"
    return len(ran.read_text().splitlines()) if ran.exists() else 0


def test_d03_results_wait_in_memory_until_there_is_room(on_disk: Queuectl) -> None:
    for _ in range(3):
        on_disk("enqueue", waits_for("go"))
    on_disk("enqueue", "echo ran >>ran", "--delay", "1s")
    worker = on_disk.start("run")
    on_disk.wait_until(lambda: list(on_disk.states().values()).count("processing") == 3, "three run")
    ballast = fill(on_disk.db.parent)
    (on_disk.folder / "go").touch()
    on_disk.wait_until(lambda: complaints(on_disk), "the worker has no room to write what ended")
    on_disk.wait_until(lambda: starts(on_disk) == 3, "all that ran has ended")

    spent, started = cpu_s(worker.pid), time.monotonic()
    while time.monotonic() < started + WATCHED_S:
        assert worker.poll() is None
        time.sleep(0.2)
    watched = time.monotonic() - started
    assert cpu_s(worker.pid) - spent < watched / 4, "it spins"
    assert len(complaints(on_disk)) <= 1 + watched / COMPLAINT_S
    assert starts(on_disk) == 3, "nothing is started that could not be claimed"

    ballast.unlink()
    on_disk.wait_until(lambda: set(on_disk.states().values()) == {"completed"}, "all is written")
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(SLACK_S) == 0
    assert starts(on_disk) == 4
    for job_id in range(1, 5):
        outcomes = on_disk.look(
            lambda store, job_id=job_id: [one.outcome for one in store.attempts.of_job(job_id)]
        )
        assert outcomes == ["succeeded"]
    assert is_whole(on_disk)


def test_d03_commands_say_so_and_change_nothing(on_disk: Queuectl) -> None:
    on_disk("enqueue", "true")
    on_disk.spec("nightly", "command: date\nschedule: '@daily'\n")
    on_disk.spec("once", f"command: echo {'x' * 9000}\n")
    ballast = fill(on_disk.db.parent)
    before = on_disk.db.read_bytes()
    for arguments in (
        ["apply", "jobs.d"],
        ["enqueue", "echo", "y" * 9000],
        ["cancel", "1"],
        ["config", "set", "lease", "9s"],
        ["run", "--until-idle"],
        ["backup", str(on_disk.db.parent / "copy.db")],
    ):
        done = on_disk.run(*arguments)
        assert done.returncode == 4, (arguments, done.stderr)
        assert done.stderr.startswith("queuectl: ")
        assert "no space left" in done.stderr
        assert done.stderr.count("\n") == 1
    assert on_disk.db.read_bytes() == before
    ballast.unlink()
    assert on_disk.json("spec", "list") == []
    assert on_disk.states() == {1: "pending"}
    on_disk("apply", "jobs.d")
    assert len(on_disk.json("spec", "list")) == 2


def test_d03_an_apply_that_finds_no_room_at_any_write_is_all_or_nothing(queuectl: Queuectl) -> None:
    queuectl("enqueue", "true")
    for name in "abc":
        queuectl.spec(name, f"command: echo {name * 3000}\n")
    for number in accumulate(count(1)):  # 1, 3, 6, 10, …
        done = injecting(queuectl, "pwrite64", "error=ENOSPC", when=f"{number}+").run("apply", "jobs.d")
        specs = queuectl.look(lambda store: [stored.name for stored in store.specs.list()])
        if done.returncode == 0:
            break
        assert done.returncode == 4, done.stderr
        assert "no space left" in done.stderr
        assert specs == []
        assert is_whole(queuectl)
    assert number > 3
    assert specs == ["a", "b", "c"]


@contextmanager
def failing_syncs(pid: int, when: str, log: Path) -> Iterator[None]:
    """Let a running process's syncs fail from now on."""
    need_tool("strace")
    need(sys.platform == "linux", "strace, which is there on Linux only")
    inject = f"inject=fdatasync:error=EIO:when={when}"
    tracer = subprocess.Popen(
        ["strace", "-qq", "-o", log, "-p", str(pid), *("-e", "trace=fdatasync"), *("-e", inject)],
        stderr=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + SLACK_S
        while "TracerPid:\t0" in Path(f"/proc/{pid}/status").read_text():
            need(
                tracer.poll() is None and time.monotonic() < until,
                "the right to trace a process of one's own",
            )
            time.sleep(0.02)
        yield
    finally:
        tracer.terminate()
        tracer.wait()


@pytest.mark.parametrize("when", ["1", "1+"])
def test_d04_a_worker_whose_disk_reports_an_error_stops(queuectl: Queuectl, when: str) -> None:
    """Even where only one sync failed and the next would seem to work: what it should have written may be lost."""
    queuectl(
        "enqueue",
        "trap 'echo asked >>asked; exit 1' TERM; [ $QUEUECTL_ATTEMPT -gt 1 ] || while :; do sleep 0.1; done",
    )
    worker = queuectl.start("run", "--slots", "1")
    queuectl.wait_until(lambda: "started" in "\n".join(log_of(queuectl)), "the job runs")
    queuectl("enqueue", "true")  # before: it must not be claimed any more
    syncs = queuectl.folder / "syncs"
    with failing_syncs(worker.pid, when, syncs):
        assert worker.wait(KILL_AFTER_S + 2 * SLACK_S) == 4
    log = log_of(queuectl)
    assert any("worker failed" in line and "can't be read or written" in line for line in log)
    assert log[-1].startswith("queuectl: ")
    assert not any("job=2" in line for line in log)
    assert (queuectl.folder / "asked").exists(), "what ran is asked to end first"
    assert syncs.read_text().count("fdatasync(") <= 3, (
        "nothing is tried again; SQLite moves its log as it closes"
    )
    assert queuectl.states()[2] == "pending"

    assert queuectl("run", "--until-idle") == ""
    assert set(queuectl.states().values()) == {"completed"}
    assert queuectl.look(lambda store: [one.outcome for one in store.attempts.of_job(1)]) == [
        "lost",
        "succeeded",
    ]
    assert is_whole(queuectl)


def test_d04_an_enqueue_that_was_not_synced_is_not_acknowledged(queuectl: Queuectl) -> None:
    queuectl("enqueue", "true")
    done = injecting(queuectl, "fdatasync", "error=EIO", when="1+").run("enqueue", "echo lost")
    assert (done.returncode, done.stdout) == (4, "")
    assert "can't be read or written" in done.stderr
    assert done.stderr.count("\n") == 1
    assert queuectl.states() == {1: "pending"}
    assert is_whole(queuectl)


@pytest.mark.parametrize("call", ["pread64", "pwrite64", "fsync"])
def test_d04_errors_of_other_calls_are_one_line_too(queuectl: Queuectl, call: str) -> None:
    need_tool("strace")
    queuectl("enqueue", "true")
    queuectl.spec("nightly", "command: date\nschedule: '@daily'\n")
    arguments = ["backup", "copy.db"] if call == "fsync" else ["apply", "jobs.d"]
    files = [
        word for path in (queuectl.db, f"{queuectl.db}-wal", queuectl.folder) for word in ("-P", str(path))
    ]
    inject = ["-e", f"trace={call}", "-e", f"inject={call}:error=EIO"]
    only = [] if call == "fsync" else files  # what is synced then has another name
    done = queuectl.under("strace", "-f", "-qq", "-o", "/dev/null", *only, *inject).run(*arguments)
    assert done.returncode == 4, done.stderr
    assert done.stderr.count("\n") == 1
    assert queuectl.look(lambda store: store.jobs.counts()[JobState.PENDING]) == 1
    assert queuectl.json("spec", "list") == []
    assert not (queuectl.folder / "copy.db").exists()
    assert is_whole(queuectl)
