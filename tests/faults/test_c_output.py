"""Section C: what jobs write, and what the worker writes of them."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import tty
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.command import Queuectl
from tests.faults.machine import fill, need, need_tool, small_disk
from tests.faults.pace import SOAK_MINUTES

KIB, MIB, GIB = 1024, 1024**2, 1024**3
WORKER_MIB = 200
COMMAND_MIB = 120
"""Twice what a command takes, and less than twice what it reads."""
GAP = re.compile(rb"\n\[\xe2\x80\xa6 [^\]]+ not kept \xe2\x80\xa6\]\n")
UNSEEN = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]")
"""What a terminal obeys, in UTF-8: all of C0 but line ends and tabs, DEL, C1."""


def raw(queuectl: Queuectl, *arguments: str) -> bytes:
    """Run a command; return the very bytes of its stdout."""
    done = subprocess.run(
        queuectl.argv(*arguments),
        cwd=queuectl.folder,
        env=queuectl.env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=queuectl.deadline_s,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b""), done
    return done.stdout


def on_a_terminal(queuectl: Queuectl, *arguments: str) -> bytes:
    """Run a command with a terminal for its stdout; return every byte that the terminal was sent."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)  # else the terminal itself makes \r\n of \n
    process = subprocess.Popen(
        queuectl.argv(*arguments),
        cwd=queuectl.folder,
        env=queuectl.env | {"TERM": "xterm-256color", "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    queuectl.started.append(process)
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:  # on Linux that is how it ends
        pass
    os.close(ours)
    assert process.wait(queuectl.deadline_s) == 0
    return shown


def logs_of(queuectl: Queuectl) -> Path:
    return queuectl.db.with_suffix(".logs")


def on_disk(queuectl: Queuectl) -> int:
    """Return how many bytes of the disk all outputs take."""
    total = 0
    for path in logs_of(queuectl).glob("*"):
        try:
            total += path.stat().st_blocks * 512
        except FileNotFoundError:
            continue
    return total


def peak_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found
    return int(found[1]) / KIB


def attempt_of(queuectl: Queuectl, job: int = 1) -> dict[str, Any]:
    attempt: dict[str, Any] = queuectl.json("get", str(job))["attempts"][-1]
    return attempt


def run(queuectl: Queuectl, *arguments: str, code: int = 0) -> None:
    """Enqueue a job and run all that there is."""
    queuectl("enqueue", *arguments)
    queuectl("run", "--until-idle", code=code)


def follow_to_end(queuectl: Queuectl, look: Callable[[], object], job: int = 1) -> None:
    """Look again and again until a job has completed."""
    queuectl.wait_until(lambda: look() and queuectl.states()[job] == "completed", "the job completes")


# Much of it


def test_c01_a_gigabyte_is_kept_within_max_log(queuectl: Queuectl) -> None:
    need(sys.platform == "linux", "/proc")
    queuectl("enqueue", f"echo first; head -c {GIB} /dev/zero; echo last", QUEUECTL_MAX_LOG="4MiB")
    worker = queuectl.start("run")
    peaks: list[int] = []
    follow_to_end(queuectl, lambda: peaks.append(on_disk(queuectl)) is None)
    assert peak_mib(worker.pid) < WORKER_MIB
    assert max(peaks) < GIB * 3 / 4, "the disk is given back while the job writes"
    attempt = attempt_of(queuectl)
    assert (attempt["outcome"], attempt["error"]) == ("succeeded", None), "the job was never held up"
    assert (attempt["output_bytes"], attempt["truncated"]) == (GIB + 11, True)
    assert on_disk(queuectl) <= 4 * MIB + 64 * KIB
    head, tail = GAP.split(raw(queuectl, "logs", "1"))
    assert (head[:6], tail[-5:]) == (b"first\n", b"last\n")
    assert abs(len(head) - 2 * MIB) <= 8 * KIB
    assert abs(len(tail) - 2 * MIB) <= 8 * KIB


def test_c01_the_disk_is_bounded_while_the_job_goes_on(queuectl: Queuectl) -> None:
    steps = f"for i in $(seq 25); do head -c {2 * MIB} /dev/zero | tr '\\0' x; sleep 0.06; done"
    queuectl(
        "enqueue", f"{steps}; touch written; while [ ! -e go ]; do sleep 0.05; done", QUEUECTL_MAX_LOG="2MiB"
    )
    queuectl.start("run")
    peaks = [0]

    def written() -> bool:
        peaks.append(on_disk(queuectl))
        return (queuectl.folder / "written").exists()

    queuectl.wait_until(written, "it wrote 50 MiB")
    assert max(peaks) <= 40 * MIB
    queuectl.wait_until(
        lambda: on_disk(queuectl) <= 2 * MIB + 64 * KIB, "no more than max_log is on the disk"
    )
    assert queuectl.states() == {1: "processing"}
    assert len(GAP.split(raw(queuectl, "logs", "1"))) == 2, "the gap is shown of a running job, too"
    (queuectl.folder / "go").touch()
    follow_to_end(queuectl, lambda: True)


# Bytes


def awkward() -> bytes:
    """No UTF-8: anything at all, latin-1, and characters that stand across the borders of reads."""
    return os.urandom(MIB) + b"\nl\xe4tin\n" + "é€".encode() * 30_000 + b"\xc3"


def test_c02_bytes_are_kept_as_they_are(queuectl: Queuectl) -> None:
    data = awkward()
    (queuectl.folder / "data").write_bytes(data)
    run(queuectl, "cat data")
    assert attempt_of(queuectl)["outcome"] == "succeeded"
    assert raw(queuectl, "logs", "1") == raw(queuectl, "logs", "1", "--raw") == data
    assert on_a_terminal(queuectl, "logs", "1", "--raw") == data
    shown = on_a_terminal(queuectl, "logs", "1")
    assert not UNSEEN.search(shown)
    assert "l\ufffdtin".encode() in shown
    assert "é€".encode() * 30_000 in shown
    assert queuectl.json("logs", "1")["output"] == data.decode("utf-8", "replace")
    queuectl("get", "1")


def test_c03_a_line_without_end_takes_bounded_memory(queuectl: Queuectl) -> None:
    """200 MB, of which 64 MiB are kept."""
    need(sys.platform == "linux", "/proc")
    queuectl("enqueue", "yes | tr -d '\\n' | head -c 200M")
    worker = queuectl.start("run")
    follow_to_end(queuectl, lambda: True)
    assert peak_mib(worker.pid) < WORKER_MIB
    bounded = queuectl.under("sh", "-c", f'ulimit -v {COMMAND_MIB * KIB}; exec "$@"', "sh")
    for arguments in (("logs", "1", "--tail", "3"), ("logs", "1", "-o", "json"), ("get", "1")):
        bounded(*arguments)


TRICKS = b"\x1b[2J\x1b]0;pwn\x07\r fake ok \x9b31m \xc2\x9b31m \xe2\x80\xae txt\tend\n"


def test_c04_a_terminal_is_shown_escapes_and_obeys_none(queuectl: Queuectl) -> None:
    (queuectl.folder / "tricks").write_bytes(TRICKS)
    run(queuectl, "cat tricks; : \x1b[2J\x9b", "--key", "tricky")
    for arguments in (
        ("logs", "1"),
        ("logs", "1", "-f"),
        ("logs", "1", "--tail", "1"),
        ("get", "1"),
        ("list",),
    ):
        shown = on_a_terminal(queuectl, *arguments)
        assert not UNSEEN.search(shown), arguments
        assert "\u202e".encode() not in shown
        assert b"\\e[2J" in shown
    assert on_a_terminal(queuectl, "logs", "1", "--raw") == TRICKS
    assert raw(queuectl, "logs", "1") == TRICKS
    printed = raw(queuectl, "logs", "1", "-o", "json")
    assert not UNSEEN.search(printed)
    assert json.loads(printed)["output"] == TRICKS.decode("utf-8", "replace")


# No place for it


def test_c05_a_full_log_disk_fails_no_result(queuectl: Queuectl) -> None:
    with small_disk(queuectl.folder / "disk") as disk:
        queuectl.env["QUEUECTL_LOG_DIR"] = str(disk)
        ballast = fill(disk)
        run(queuectl, "seq 100000 2>/dev/null; exit 3", "--max-retries", "0", code=1)
        attempt = attempt_of(queuectl)
        assert (attempt["outcome"], attempt["exit_code"]) == ("failed", 3)
        assert attempt["error"] == "the disk of the log folder is full: the output may be incomplete"
        assert attempt["error"] in queuectl("get", "1")
        ballast.unlink()
        run(queuectl, "seq 20000")
        assert attempt_of(queuectl, 2)["error"] is None
        assert raw(queuectl, "logs", "2").split() == [b"%d" % number for number in range(1, 20001)]
        run(queuectl, "head -c 10M /dev/zero 2>/dev/null; exit 0")
        attempt = attempt_of(queuectl, 3)
        assert (attempt["outcome"], attempt["output_bytes"] < MIB) == ("succeeded", True)
        assert "incomplete" in attempt["error"]


def test_c05_a_log_disk_that_takes_no_more_files(queuectl: Queuectl) -> None:
    with small_disk(queuectl.folder / "disk", "512k,nr_inodes=1") as disk:
        queuectl.env["QUEUECTL_LOG_DIR"] = str(disk)
        run(queuectl, "echo lost; exit 3", "--max-retries", "0", code=1)
        attempt = attempt_of(queuectl)
        assert (attempt["outcome"], attempt["exit_code"]) == ("failed", 3)
        assert attempt["error"] == "output not kept: No space left on device"


def test_c06_a_log_folder_that_is_removed_is_made_again(queuectl: Queuectl) -> None:
    waits = "while [ ! -e go ]; do sleep 0.05; done"
    queuectl("enqueue", f"echo one; {waits}; seq 30000; echo two")
    worker = queuectl.start("run")
    queuectl.wait_until(
        lambda: queuectl.states() == {1: "processing"} and on_disk(queuectl), "it has written"
    )
    shutil.rmtree(logs_of(queuectl))
    (queuectl.folder / "go").touch()
    follow_to_end(queuectl, lambda: True)
    assert "removed" in attempt_of(queuectl)["error"]
    assert raw(queuectl, "logs", "1").endswith(b"30000\ntwo\n"), "its end is kept"
    queuectl("enqueue", "seq 30000")
    follow_to_end(queuectl, lambda: True, job=2)
    assert attempt_of(queuectl, 2)["error"] is None
    assert len(raw(queuectl, "logs", "2").split()) == 30000
    assert psutil.Process(worker.pid).cpu_percent(1) < 50, "no loop"
    assert len((queuectl.folder / "run0.log").read_text().splitlines()) < 10


# How much is kept


def history(queuectl: Queuectl) -> tuple[int, int]:
    """Return how many jobs are remembered, and how many files."""
    jobs = queuectl.look(lambda store: sum(store.jobs.counts().values()))
    return jobs, len(list(logs_of(queuectl).glob("[0-9]*-1.log")))


@pytest.mark.parametrize(("keep", "kept"), [("50", 50), ("1ms", 0)], ids=["by count", "by age"])
def test_c07_thousands_of_runs_leave_what_is_kept(queuectl: Queuectl, keep: str, kept: int) -> None:
    """2,000; 50,000 in a soak. Every tenth has an output of its own file."""
    total = (50_000 if SOAK_MINUTES else 2_000) // 2
    queuectl.deadline_s *= 20 if SOAK_MINUTES else 2
    short, long = ({"command": command} for command in (["true"], ["head", "-c", "70000", "/dev/zero"]))
    lines = "".join(json.dumps(short if number % 10 else long) + "\n" for number in range(1, total + 1))
    queuectl("enqueue", "-", stdin=lines)
    queuectl("run", "--until-idle", "--log-level", "error")
    assert history(queuectl) == (total, total // 10)
    queuectl.start("run", QUEUECTL_KEEP_COMPLETED=keep)
    queuectl.wait_until(
        lambda: history(queuectl) == (kept, kept // 10), f"{kept} jobs and their files are left"
    )


# What the worker says


RECORD = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [a-z ]+( [a-z_]+=(\"([^\"\\]|\\.)*\"|[^\s\"]*))*")


@pytest.mark.parametrize("form", ["text", "json"])
def test_c08_what_jobs_write_fakes_no_line_of_the_log(queuectl: Queuectl, form: str) -> None:
    fake = "2026-01-01 00:00:00 completed job=99 took=1s"
    fields: Sequence[dict[str, object]] = (
        {"command": f"echo '{fake}'; echo '{fake}' >&2"},
        {"command": "true", "cwd": f"no\n{fake}"},
        {"command": [f"no\r\n{fake}\x1b[2J"]},
        {"command": "true", "env": {"A": {"from_file": f"/no\n{fake}"}}},
    )
    folder = queuectl.folder / f"no\n{fake}"
    folder.mkdir()
    for job in fields:
        queuectl("enqueue", json.dumps(job | {"retries": 0}))
    folder.rmdir()
    queuectl.run("run", "--until-idle", "--log-format", form, "--log-file", "worker.log")
    content = (queuectl.folder / "worker.log").read_text()
    lines = content.splitlines()
    if form == "json":
        assert all(json.loads(line)["event"] for line in lines)
        assert [json.loads(line).get("job") for line in lines].count(99) == 0
    else:
        assert all(RECORD.fullmatch(line) for line in lines), content
        assert not any(line.startswith(fake) for line in lines)
    assert "\x1b" not in content
    assert content.count("dead") >= 3
    reason = queuectl.json("get", "2")["reason"]
    assert fake in reason, "whole, where it can do no harm"
    for arguments in (("list",), ("dlq", "list"), ("get", "2")):
        assert not any(line.startswith(fake) for line in queuectl(*arguments).splitlines())


# Reading it


def test_c09_the_output_of_a_running_job_is_followed(queuectl: Queuectl) -> None:
    queuectl("enqueue", "echo one; while [ ! -e go ]; do sleep 0.05; done; echo two")
    queuectl.start("run")
    queuectl.wait_until(lambda: queuectl.states() == {1: "processing"}, "it runs")
    with subprocess.Popen(
        queuectl.argv("logs", "1", "-f"),
        cwd=queuectl.folder,
        env=queuectl.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as follower:
        queuectl.started.append(follower)
        assert follower.stdout
        assert follower.stderr
        assert follower.stdout.readline() == "one\n"
        assert queuectl("logs", "1") == "one\n"
        (queuectl.folder / "go").touch()
        assert follower.stdout.read() == "two\n"
        assert (follower.wait(queuectl.deadline_s), follower.stderr.read()) == (0, "")


def test_c09_of_a_job_that_is_gone_one_line_is_said(queuectl: Queuectl) -> None:
    run(queuectl, "echo one")
    queuectl("purge", "--yes")
    gone = queuectl.run("logs", "1")
    assert (gone.returncode, gone.stdout) == (1, "")
    assert gone.stderr == "queuectl: there is no job '1'\n"
    queuectl("enqueue", "true", "--delay", "1h")
    follower = queuectl.start("logs", "2", "-f")
    queuectl("cancel", "2")
    queuectl("purge", "--state", "cancelled", "--yes")
    assert follower.wait(queuectl.deadline_s) in {0, 1}
    said = (queuectl.folder / f"run{len(queuectl.started) - 1}.log").read_text()
    assert len(said.splitlines()) <= 1
    assert "Traceback" not in said


def test_c09_a_reader_that_has_enough_is_no_error(queuectl: Queuectl) -> None:
    run(queuectl, "seq 300000")
    for flags in ("", "-f", "--tail 200000", "-o json"):
        command = " ".join([*queuectl.argv("logs", "1"), flags])
        need_tool("bash")
        done = queuectl.under("bash", "-c", f"{command} | head -1; echo ${{PIPESTATUS[0]}}").run()
        first, code = done.stdout.splitlines()
        assert first in {"1", "100001", "{"}
        assert code in {"0", str(128 + signal.SIGPIPE)}
        assert done.stderr == ""
