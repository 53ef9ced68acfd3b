"""Section B: child processes."""

from __future__ import annotations

import json
import os
import re
import resource
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.command import Queuectl
from tests.faults.machine import need, need_tool
from tests.faults.ordinary import ordinary_users_queue
from tests.faults.pace import KILL_AFTER_S, SLACK_S, SOAK_MINUTES
from tests.faults.tracing import injecting

MIB = 1024 * 1024
ON_LINUX = sys.platform == "linux"
OF_THE_C_LIBRARY = 1 << 31 | 1 << 32
"""Signals 32 and 33, which glibc lets nobody touch and ignores in what it spawns."""
TREES = "Linux: elsewhere only the process group is sure to be found"
_numbers = count(1)


def nap() -> str:
    """Return a `sleep` that nobody else sleeps: it is found by its words, wherever it went."""
    return f"sleep {600 + next(_numbers)}.{os.getpid()}"


def alive(command: str) -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.cmdline() == command.split() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def run_one(queuectl: Queuectl, *arguments: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Enqueue a job and run it to its end; return it and its last attempt."""
    number = queuectl.json("enqueue", *arguments)["id"]
    return end_of(queuectl, number)


def end_of(queuectl: Queuectl, number: int = 1) -> tuple[dict[str, Any], dict[str, Any]]:
    done = queuectl.run("run", "--until-idle")
    assert done.returncode in {0, 1}, done.stderr
    job = queuectl.json("get", str(number))
    return job, job["attempts"][-1]


def in_shell(queuectl: Queuectl, script: str) -> Queuectl:
    """Return the command line as a shell starts it: `"$@"` in the script."""
    return queuectl.under("sh", "-c", script, "sh", *queuectl.before)


@pytest.fixture
def ordinary() -> Iterator[Queuectl]:
    with ordinary_users_queue() as command:
        yield command


# How an attempt ends


def test_b01_who_ignores_sigterm_is_killed(queuectl: Queuectl) -> None:
    one = nap()
    _, attempt = run_one(
        queuectl, f"trap '' TERM; while :; do {one}; done", "--timeout", "500ms", "--max-retries", "0"
    )
    assert (attempt["outcome"], attempt["signal"]) == ("timed_out", "SIGKILL")
    least = 500 + 1000 * KILL_AFTER_S
    assert least <= attempt["duration_ms"] <= least + 1000 * SLACK_S
    assert alive(one) == []


LEFT_BEHIND = {
    "in a session of its own, with its output": "setsid {nap} & exit 0",
    "forked twice": "(setsid sh -c '{nap} & {nap}; true' &); exit 0",
    "without a trace": "env -i setsid /bin/{nap} >/dev/null 2>&1 & exit 0",
}


@pytest.mark.parametrize("command", LEFT_BEHIND.values(), ids=LEFT_BEHIND)
def test_b02_an_attempt_ends_with_its_main_process(queuectl: Queuectl, command: str) -> None:
    need(ON_LINUX, TREES)
    one = nap()
    job, attempt = run_one(queuectl, command.format(nap=one))
    assert (job["state"], attempt["outcome"]) == ("completed", "succeeded")
    assert re.fullmatch(r"left \d process(es)? behind; killed", attempt["error"])
    assert attempt["duration_ms"] <= 2000 + 1000 * SLACK_S
    assert alive(one) == alive(f"/bin/{one}") == []


def test_b02_who_left_no_trace_goes_with_the_last_job_beside_it(queuectl: Queuectl) -> None:
    """It has neither session nor mark, so any of the jobs that ran when it started may have left it behind."""
    need(ON_LINUX, TREES)
    one = nap()
    stray = f"/bin/{one}"
    queuectl("enqueue", "while [ ! -e go ]; do sleep 0.05; done")
    queuectl("enqueue", f"env -i setsid {stray} >/dev/null 2>&1 & exit 0")
    worker = queuectl.start("run", "--until-idle")
    queuectl.wait_until(lambda: queuectl.states() == {1: "processing", 2: "completed"}, "the second is over")
    assert len(alive(stray)) == 1
    (queuectl.folder / "go").touch()
    assert worker.wait(30) == 0
    assert alive(stray) == []


TREES_OF = {
    "a pipe": "{nap} | cat",
    "forked twice": "(setsid sh -c '{nap} & {nap}' &); {nap}",
    "of sessions": "setsid sh -c 'setsid {nap} & {nap}' & {nap}",
    "without a trace": "env -i setsid /bin/sh -c '{nap} & {nap}' & {nap}",
}


def time_out(queuectl: Queuectl, tree: str) -> None:
    one = nap()
    command = tree.format(nap=one)
    queuectl("enqueue", command, "--timeout", "1s", "--max-retries", "0")
    worker = queuectl.start("run", "--until-idle")
    queuectl.wait_until(lambda: len(alive(one)) == command.count(one), "all of it runs")
    assert worker.wait(30) == 1
    (attempt,) = queuectl.json("get", "1")["attempts"]
    assert attempt["outcome"] == "timed_out"
    assert attempt["duration_ms"] <= 1000 * (1 + KILL_AFTER_S + SLACK_S)
    assert alive(one) == []


@pytest.mark.parametrize("tree", [name for name in TREES_OF if name != "a pipe"])
def test_b03_a_time_out_takes_the_whole_tree(queuectl: Queuectl, tree: str) -> None:
    need(ON_LINUX, TREES)
    time_out(queuectl, TREES_OF[tree])


def test_b04_a_time_out_takes_both_ends_of_a_pipe(queuectl: Queuectl) -> None:
    time_out(queuectl, TREES_OF["a pipe"])


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGKILL"])
def test_b05_a_signal_is_shown_by_its_name_and_is_a_failure(queuectl: Queuectl, name: str) -> None:
    job, attempt = run_one(queuectl, f"kill -{name.removeprefix('SIG')} $$", "--max-retries", "1")
    assert (attempt["outcome"], attempt["signal"], attempt["exit_code"]) == ("signalled", name, None)
    assert (job["state"], job["attempt"], job["failures"]) == ("dead", 2, 2)
    assert job["reason"].startswith(f"killed by {name}")
    assert name in queuectl("list")


@contextmanager
def memory_limit(size: int) -> Iterator[Path]:
    """Make a control group with so much memory; return the file that takes in processes."""
    v1 = Path("/sys/fs/cgroup/memory")
    parent = v1 if v1.is_dir() else Path("/sys/fs/cgroup")
    group = parent / f"queuectl-{os.getpid()}-{next(_numbers)}"
    names = ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes") if v1.is_dir() else ("memory.max",)
    try:
        group.mkdir()
        (group / names[0]).write_text(str(size))
        for rest in (*names[1:], "memory.swap.max"):
            if (group / rest).exists():
                (group / rest).write_text("0" if rest == "memory.swap.max" else str(size))
    except OSError:
        if group.is_dir():
            group.rmdir()
        need(False, "root, and a memory control group to make one in")
    try:
        yield group / "cgroup.procs"
    finally:
        group.rmdir()


HUNGRY = [sys.executable, "-c", f"x = []\nwhile True: x.append(b'x' * {MIB})"]


@pytest.mark.parametrize(
    "hungry", [HUNGRY, f"{shlex.join(HUNGRY)}; exit $?"], ids=["the command", "a child of it"]
)
def test_b06_out_of_memory_kills_the_job_and_not_the_worker(queuectl: Queuectl, hungry: object) -> None:
    queuectl("enqueue", json.dumps({"command": hungry, "retries": 1}))
    queuectl("enqueue", "true")
    with memory_limit(160 * MIB) as procs:
        inside = in_shell(queuectl, f'echo $$ > {procs}; exec "$@"')
        assert inside.run("run", "--until-idle", "--slots", "1").returncode == 1
    hungry_job, fine = queuectl.json("get", "1"), queuectl.json("get", "2")
    assert (hungry_job["state"], fine["state"]) == ("dead", "completed")
    assert [attempt["outcome"] for attempt in fine["attempts"]] == ["succeeded"]
    assert "out of memory" in hungry_job["reason"]
    assert all("out of memory" in attempt["error"] for attempt in hungry_job["attempts"])


# What it can't get


def attempts_made(queuectl: Queuectl) -> int:
    return queuectl.look(lambda store: sum(job.attempt for job in store.jobs.list(limit=1000)))


def log_lines(queuectl: Queuectl, word: str = "") -> Sequence[str]:
    """Return the lines of the first worker's log with a word in them."""
    return [line for line in (queuectl.folder / "run0.log").read_text().splitlines() if word in line]


def limit_processes(queuectl: Queuectl, pid: int, limit: int) -> None:
    """Let the user of a process have so many; -1: without limit."""
    words = ("prlimit", "--pid", str(pid), f"--nproc={'unlimited' if limit < 0 else limit}:")
    subprocess.run([*queuectl.before, *words], check=True)


def test_b07_without_processes_jobs_wait_and_none_fails(ordinary: Queuectl) -> None:
    """Takes 10 s: what could not start is tried again after 5."""
    need_tool("prlimit")
    worker = ordinary.start("run", "--slots", "2")
    ordinary.wait_until(lambda: log_lines(ordinary, "worker started"), "the worker runs")
    before, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    limit_processes(ordinary, worker.pid, 1)
    ordinary("enqueue", "-", stdin="true\n" * 60)
    ordinary.wait_until(lambda: log_lines(ordinary, "no resources"), "one could not start")
    since, used = time.monotonic(), psutil.Process(worker.pid).cpu_times().user
    (first, *_) = ordinary.json("list", "--state", "failed")
    assert (first["failures"], "no resources to start a process" in first["reason"]) == (0, True)
    ordinary.wait_until(lambda: attempts_made(ordinary) > 2, "they are tried again")
    told, tried = len(log_lines(ordinary, "resources")), attempts_made(ordinary)
    assert tried < 20, "in turn as many as there are slots"
    assert told <= tried / 2 + 1, "one line for both slots"
    used = psutil.Process(worker.pid).cpu_times().user - used
    assert used < (time.monotonic() - since) / 2, "it rests"
    limit_processes(ordinary, worker.pid, before)
    ordinary.wait_until(lambda: set(ordinary.states().values()) == {"completed"}, "all complete")
    assert {job["failures"] for job in ordinary.json("list", "--limit", "100")} == {0}


@pytest.mark.parametrize("processes", ["1", "2"])
def test_b07_a_fork_that_fails_is_tried_again(queuectl: Queuectl, processes: str) -> None:
    queuectl("enqueue", "-", stdin="true\n" * 3)
    failing = injecting(queuectl, "clone,clone3,fork,vfork", "error=EAGAIN", when="1")
    done = failing.run("run", "--until-idle", "--processes", processes)
    assert done.returncode == 0, done.stderr
    assert queuectl.states() == {1: "completed", 2: "completed", 3: "completed"}
    outcomes = [[one["outcome"] for one in queuectl.json("get", str(job))["attempts"]] for job in (1, 2, 3)]
    assert {end for ends in outcomes for end in ends} == {"spawn_failed", "succeeded"}
    assert all(ends[-1] == "succeeded" for ends in outcomes)
    assert {job["failures"] for job in queuectl.json("list")} == {0}


def test_b08_with_few_descriptors_fewer_jobs_run_at_once(queuectl: Queuectl) -> None:
    queuectl("enqueue", "-", stdin="sleep 0.2\n" * 40)
    few = in_shell(queuectl, 'ulimit -n 32; exec "$@"')
    since = time.monotonic()
    done = few.run("run", "--slots", "20", "--until-idle")
    assert done.returncode == 0, done.stderr
    assert set(queuectl.states().values()) == {"completed"}
    assert {job["failures"] for job in queuectl.json("list")} == {0}
    told = [line for line in done.stderr.splitlines() if "resources" in line]
    assert 1 <= len(told) <= 1 + (time.monotonic() - since) / 5
    assert "open files" in told[0]
    assert "ulimit -n" in told[0]


def test_b08_while_the_system_opens_no_more_files_a_worker_sees_its_children_end(queuectl: Queuectl) -> None:
    need(ON_LINUX, "/proc")
    queuectl("enqueue", "-", stdin="sleep 0.2\n" * 6)
    children = ("-P", "/proc/thread-self/children")
    options = ("-e", "trace=openat", "-e", "inject=openat:error=ENFILE:when=2+")
    need_tool("strace")
    done = queuectl.under("strace", "-f", "-qq", "-o", "/dev/null", *children, *options).run(
        "run", "--until-idle"
    )
    assert done.returncode == 0, done.stderr
    assert set(queuectl.states().values()) == {"completed"}


@pytest.mark.parametrize("limit", range(5, 10))
def test_b08_a_command_without_descriptors_says_so(queuectl: Queuectl, limit: int) -> None:
    queuectl("enqueue", "true")
    few = in_shell(queuectl, f'ulimit -n {limit}; exec "$@"')
    done = few.run("list")
    if done.returncode == 0:
        return
    assert done.returncode in {1, 4}
    assert "open files" in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr


# What it is given


def test_b09_the_longest_command_is_131_071_bytes(queuectl: Queuectl) -> None:
    for name, size in (("long", 100_000), ("longest", 131_071)):
        queuectl.spec(name, json.dumps({"command": ":" + " " * (size - 1)}))
    queuectl("apply", "jobs.d", "--yes")
    queuectl("run", "--until-idle")
    assert queuectl.states() == {1: "completed", 2: "completed"}


@pytest.mark.parametrize("command", ["x" * 131_072, "x" * 200_000, "ü" * 65_536])
def test_b09_a_longer_one_is_refused(queuectl: Queuectl, command: str) -> None:
    spec = queuectl.spec("long", json.dumps({"command": command}, ensure_ascii=False))
    applied = queuectl.run("apply", "jobs.d", "--yes")
    enqueued = queuectl.run("enqueue", "--file", str(spec))
    piped = queuectl.run("enqueue", "-", stdin=command + "\n")
    assert (applied.returncode, enqueued.returncode, piped.returncode) == (3, 2, 2)
    for done in (applied, enqueued, piped):
        assert "expected at most 131,071 bytes" in done.stderr
        assert len(done.stderr) < 2000
    assert queuectl.states() == {}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"command": "echo \0"}, "NUL"),
        ({"command": ["echo", "\0"]}, "NUL"),
        ({"command": "true", "env": {"A": "x\0"}}, "NUL"),
        ({"command": "true", "env": {"A\0": "x"}}, "env"),
        ({"command": "true", "env": {"": "x"}}, "env"),
        ({"command": "true", "env": {"A=B": "x"}}, "env"),
    ],
)
def test_b10_what_no_program_can_be_given_is_refused(
    queuectl: Queuectl, fields: dict[str, object], expected: str
) -> None:
    spec = queuectl.spec("bad", json.dumps(fields))
    applied = queuectl.run("apply", "jobs.d", "--yes")
    enqueued = queuectl.run("enqueue", "--file", str(spec))
    assert (applied.returncode, enqueued.returncode) == (3, 2)
    assert expected in applied.stderr
    assert expected in enqueued.stderr
    assert "Traceback" not in applied.stderr + enqueued.stderr


def test_b11_an_environment_of_3_mb_is_the_jobs_failure(queuectl: Queuectl) -> None:
    variables = "".join(f"BIG{number}={'x' * 100_000}\n" for number in range(10))
    for number in range(3):
        (queuectl.folder / f"{number}.env").write_text(variables.replace("BIG", f"BIG{number}"))
    job = {"command": "true", "env_file": ["0.env", "1.env", "2.env"], "retries": 0}
    queuectl("enqueue", json.dumps(job))
    queuectl("enqueue", "true")
    big, attempt = end_of(queuectl)
    assert (big["state"], attempt["outcome"]) == ("dead", "spawn_failed")
    assert "command and environment are too large" in big["reason"]
    assert queuectl.states()[2] == "completed"


def test_b12_a_job_that_reads_finds_the_end_at_once(queuectl: Queuectl) -> None:
    queuectl("enqueue", "read x; echo $? [$x]; cat; echo end")
    queuectl("run", "--until-idle", stdin="for the worker only\n")
    assert queuectl("logs", "1") == "1 []\nend\n"


def test_b13_a_job_has_no_descriptor_but_the_standard_ones(queuectl: Queuectl) -> None:
    need(ON_LINUX, "/proc")
    for _ in range(3):  # so that there are logs of others to be seen
        queuectl("enqueue", "ls /proc/$$/fd; sleep 0.2")
    leaking = in_shell(queuectl, 'exec 5</dev/null 9>leak; exec "$@"')
    leaking("run", "--until-idle")
    assert [queuectl("logs", str(job)).split() for job in (1, 2, 3)] == [["0", "1", "2"]] * 3


def test_b14_signals_are_as_a_login_shell_has_them(queuectl: Queuectl) -> None:
    need(ON_LINUX, "/proc")
    need_tool("bash")
    queuectl(
        "enqueue", "bash -c 'yes | head -1; echo ${PIPESTATUS[0]}'; grep -E 'Sig(Blk|Ign)' /proc/self/status"
    )
    ignoring = in_shell(queuectl, "trap '' HUP USR1 PIPE; exec \"$@\"")
    ignoring("run", "--until-idle")
    *piped, _, blocked, _, ignored = queuectl("logs", "1").split()
    assert piped == ["y", "141"]
    assert int(blocked, 16) == 0
    assert int(ignored, 16) & ~OF_THE_C_LIBRARY == 0


def test_b15_thousands_of_short_jobs_leave_nothing_behind(queuectl: Queuectl) -> None:
    """2,000; 10,000 in a soak."""
    total = 10_000 if SOAK_MINUTES else 2_000
    queuectl.deadline_s *= 4
    worker = queuectl.start("run", "--log-level", "error")
    process = psutil.Process(worker.pid)

    def measured(jobs: int) -> tuple[int, int]:
        lines = "".join(json.dumps({"command": ["true"]}) + "\n" for _ in range(jobs))
        queuectl("enqueue", "-", stdin=lines)
        queuectl.wait_until(lambda: queuectl.look(lambda store: not store.jobs.busy(())), "all are done")
        return process.num_fds(), process.memory_info().rss

    before = measured(total // 4)
    after = measured(total - total // 4)
    assert process.children(recursive=True) == []
    assert abs(after[0] - before[0]) <= 4
    assert after[1] - before[1] < 20 * MIB
    assert queuectl.json("status")["jobs"]["completed"] == total


NOT_THERE: dict[str, tuple[dict[str, object], str]] = {
    "cwd missing": ({"cwd": "missing"}, "cwd {folder}/missing does not exist"),
    "cwd no folder": ({"cwd": "file"}, "cwd {folder}/file is not a folder"),
    "shell missing": ({"shell": ["/no/sh", "-c"]}, "shell /no/sh not found"),
    "program missing": ({"command": ["no-such-program"]}, "program 'no-such-program' not found on PATH"),
    "126": ({"command": "/etc/passwd"}, "exit code 126: the shell could not execute the command"),
    "127": ({"command": "no-such-command"}, "exit code 127: the shell did not find the command"),
}


def test_b16_what_is_missing_is_named_and_tried_no_more_often_than_allowed(queuectl: Queuectl) -> None:
    for name in ("missing", "file"):
        (queuectl.folder / name).mkdir()
    for fields, _ in NOT_THERE.values():
        queuectl("enqueue", json.dumps({"command": "true", "retries": 1} | fields))
    for name in ("missing", "file"):
        (queuectl.folder / name).rmdir()
    (queuectl.folder / "file").touch()
    assert queuectl.run("run", "--until-idle").returncode == 1
    for number, (_, text) in enumerate(NOT_THERE.values(), 1):
        expected = text.replace("{folder}", str(queuectl.folder))
        job = queuectl.json("get", str(number))
        assert (job["state"], job["attempt"], job["failures"]) == ("dead", 2, 2)
        assert [attempt["error"] for attempt in job["attempts"]] == [expected] * 2
        assert expected.split(":")[0] in job["reason"]


def test_b16_a_user_who_is_not_there(queuectl: Queuectl) -> None:
    queuectl.spec("as-somebody", "command: id\nuser: nobody-so-named\nretries: 0\n")
    queuectl("apply", "jobs.d")
    queuectl("run", "--until-idle", code=1)
    job = queuectl.json("get", "as-somebody")
    assert [attempt["outcome"] for attempt in job["attempts"]] == ["spawn_failed"]
    assert (
        "user nobody-so-named does not exist" in job["reason"]
        if os.geteuid() == 0
        else "root" in job["reason"]
    )


def test_b17_a_job_may_enqueue(queuectl: Queuectl) -> None:
    need((Path(sys.executable).parent / "queuectl").exists(), "queuectl as a program, beside Python")
    for number in range(3):
        queuectl("enqueue", f"for i in 1 2; do queuectl enqueue 'echo {number}.'$i || exit 1; done")
    queuectl("run", "--until-idle")
    assert list(queuectl.states().values()) == ["completed"] * 9
    assert sorted(queuectl("logs", str(job)).strip() for job in range(4, 10)) == [
        "0.1", "0.2", "1.1", "1.2", "2.1", "2.2"
    ]  # fmt: skip


@pytest.mark.parametrize("timeout", ["0.001", "1ms"])
def test_b18_the_shortest_time_out_is_one(queuectl: Queuectl, timeout: str) -> None:
    one = nap()
    spec = queuectl.spec("short", f"command: {one}\ntimeout: {timeout}\nretries: 0\n")
    queuectl("apply", str(spec), "--yes")
    job, attempt = end_of(queuectl)
    assert (job["state"], attempt["outcome"]) == ("dead", "timed_out")
    assert alive(one) == []


@pytest.mark.parametrize("timeout", ["1e12", "1e400", "1000000000000", "31688 years"])
def test_b19_a_time_out_beyond_all_time_is_refused(queuectl: Queuectl, timeout: str) -> None:
    spec = queuectl.spec("long", f"command: 'true'\ntimeout: {timeout}\n")
    for done, code in (
        (queuectl.run("apply", str(spec), "--yes"), 3),
        (queuectl.run("enqueue", "true", "--timeout", timeout), 2),
    ):
        assert done.returncode == code
        assert "timeout" in done.stderr
        assert "Traceback" not in done.stderr
    assert queuectl.states() == {}


def test_b20_a_job_may_close_its_outputs(queuectl: Queuectl) -> None:
    job, attempt = run_one(queuectl, "exec >&- 2>&-; sleep 0.1; true")
    assert (job["state"], attempt["error"], attempt["output_bytes"]) == ("completed", None, 0)


NOWHERE = {
    "full": 'exec "$@" >/dev/full 2>&1',
    "closed": 'exec "$@" >&- 2>&-',
    "reader gone": '{ "$@"; echo $? >code; } 2>&1 | true; exit $(cat code)',
    "log on a full disk": 'exec "$@" --log-file /dev/full',
}


@pytest.mark.parametrize("script", NOWHERE.values(), ids=NOWHERE)
def test_b21_a_worker_that_can_say_nothing_goes_on(queuectl: Queuectl, script: str) -> None:
    need(ON_LINUX, "/dev/full")
    queuectl.spec("one", "command: 'true'\n")
    queuectl("enqueue", "-", stdin="true\n" * 100)
    mute = in_shell(queuectl, script)
    for arguments in (("jobs.d", "--until-idle"), ("--until-idle",)):
        done = mute.run("run", *arguments)
        assert (done.returncode, done.stderr.count("\n") <= 1) == (0, True), done.stderr
    counts = queuectl.look(lambda store: store.jobs.counts())
    assert {state: count for state, count in counts.items() if count} == {"completed": 101}


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("'while :; do :; done'", "killed by SIGXCPU (its cpu_time limit)"),
        ("'sh -c \"while :; do :; done\"; exit $?'", "exit code 152 (its cpu_time limit)"),
        ("'trap \"\" XCPU; while :; do :; done'", "killed by SIGKILL (its cpu_time limit)"),
    ],
)
def test_too_much_processor_time_ends_it_and_the_reason_says_so(
    queuectl: Queuectl, command: str, reason: str
) -> None:
    queuectl.spec("busy", f"retries: 0\ncommand: {command}\nlimits: {{cpu_time: 1s}}\n")
    queuectl("apply", "jobs.d")
    queuectl("run", "--until-idle", code=1)
    job = queuectl.json("get", "busy")
    assert job["reason"] == f"{reason}, after 1 attempt"
    assert job["attempts"][0]["error"] == "its cpu_time limit of 1s was reached"
