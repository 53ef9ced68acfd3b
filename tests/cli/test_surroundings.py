"""What shells, terminals and systems do to a command line."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, clean_environment, in_process, wait_until


def shell(folder: Path, script: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script in which `queuectl` is the program."""
    program = f'queuectl() {{ {sys.executable} -m queuectl "$@"; }}; '
    return subprocess.run(
        ["bash", "-c", program + script], env=clean_environment(folder, **environ), cwd=folder,
        capture_output=True, text=True, errors="surrogateescape", timeout=30, check=False,
    )  # fmt: skip


def on_a_terminal(folder: Path, *arguments: str, typed: bytes = b"", **environ: str) -> tuple[int, str]:
    """Run a command line on a terminal of 80 columns; return its exit code and all that was shown."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "queuectl", *arguments], stdin=theirs, stdout=theirs, stderr=theirs,
        env=clean_environment(folder, TERM="xterm", **environ), cwd=folder,
    )  # fmt: skip
    os.close(theirs)
    os.write(ours, typed)
    shown = _everything(ours, process)
    return process.wait(5), shown


def _everything(ours: int, process: subprocess.Popen[bytes]) -> str:
    """Read the terminal until the process has ended, and close it."""
    shown = b""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        ready, _, _ = select.select([ours], [], [], 0.1)
        try:
            chunk = os.read(ours, 65536) if ready else b""
        except OSError:  # the other side is closed
            break
        shown += chunk
        if not chunk and process.poll() is not None:
            break
    os.close(ours)
    return shown.decode()


def test_a_full_disk(ran: Path):
    commands = ("list", "list -o json", "logs 1", "status", "--help")
    done = shell(ran, "".join(f"queuectl {command} >/dev/full; echo $?; " for command in commands))
    assert done.stdout.split() == ["1"] * len(commands)
    assert done.stderr == "queuectl: output: No space left on device\n" * len(commands)


def test_a_reader_that_has_enough(ran: Path):
    many = "for i in $(seq 4000); do echo true; done | queuectl enqueue - >/dev/null; "
    done = shell(ran, many + "queuectl list -o jsonl --limit 0 | head -1; echo ${PIPESTATUS[0]}")
    assert json.loads(done.stdout.splitlines()[0])
    assert done.stdout.splitlines()[1] in {"0", "141"}
    assert done.stderr == ""
    commands = ("logs 1", "--help", "get 1", "list --state dead", "status -o json")
    done = shell(
        ran, "".join(f"queuectl {command} | true; echo ${{PIPESTATUS[0]}}; " for command in commands)
    )
    assert done.stdout.split() == ["141"] * len(commands)
    assert done.stderr == ""


@pytest.mark.parametrize(
    "environ", [{"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}]
)
def test_any_locale(tmp_path: Path, environ: dict[str, str]):
    done = shell(tmp_path, "queuectl enqueue 'echo ü' --key ü && queuectl get ü && queuectl get ö", **environ)
    assert done.returncode == 1
    assert "echo ü" in done.stdout
    assert done.stderr == "queuectl: there is no job 'ö'\n"


def test_an_argument_that_is_not_utf_8(tmp_path: Path):
    done = shell(tmp_path, r"queuectl enqueue $'\xff'")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "queuectl: argument b'\\xff' is not UTF-8\n"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&- 2>&-"])
def test_closed_standard_files(cli: Cli, tmp_path: Path, closed: str):
    assert (
        shell(tmp_path, f"queuectl enqueue date {closed} && queuectl run --until-idle {closed}").returncode
        == 0
    )
    assert [job["state"] for job in cli("list", "-o", "json").json] == ["completed"]


def test_no_home(tmp_path: Path):
    done = shell(tmp_path, "unset HOME QUEUECTL_DB XDG_STATE_HOME; queuectl --db q.db enqueue date")
    assert done.returncode == 0
    relative = shell(tmp_path, "unset QUEUECTL_DB XDG_STATE_HOME; HOME=here queuectl list")
    assert (relative.returncode, relative.stdout) == (2, "")
    assert relative.stderr.startswith("queuectl: there is no home folder")


def test_files_are_private_from_the_start(tmp_path: Path):
    assert shell(tmp_path, "umask 000; queuectl --db sub/queue.db enqueue date").returncode == 0
    modes = {
        path.name: oct(path.stat().st_mode & 0o777)
        for path in [tmp_path / "sub", *(tmp_path / "sub").iterdir()]
    }
    assert modes.pop("sub") == "0o700"
    assert set(modes.values()) == {"0o600"}


def test_ctrl_c(tmp_path: Path):
    shell(tmp_path, "queuectl enqueue date")
    process = subprocess.Popen(
        [sys.executable, "-m", "queuectl", "wait", "1"],
        env=clean_environment(tmp_path), stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    # The queue is open, so the command is waiting.
    wait_until(lambda: any("queue.db" in link for link in _open_files(process.pid)), "the queue to be opened")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (130, "queuectl: interrupted\n")


def _open_files(pid: int) -> list[str]:
    if not Path("/proc").is_dir():
        time.sleep(1)
        return ["queue.db"]
    found = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.append(str(entry.readlink()))
        except OSError:
            continue
    return found


def test_stdout_is_json_whatever_happens(ran: Path):
    done = shell(ran, "QUEUECTL_DB=$PWD/none.db queuectl status -o json")
    assert json.loads(done.stdout)["jobs"]["total"] == 0
    assert "there is no queue" in done.stderr
    failed = shell(ran, "queuectl get nope -o json")
    assert (failed.returncode, failed.stdout) == (1, "")


def test_no_traceback_for_what_nobody_expected(ran: Path):
    (ran / "folder.db").mkdir()
    for path in ("folder.db", "/dev/null/q.db", "/proc/nope/q.db"):
        done = shell(ran, f"queuectl --db {path} enqueue date")
        assert done.returncode in {1, 4, 5}
        assert done.stderr.startswith("queuectl: ")
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["lst"], "no such command 'lst', did you mean 'list'?"),
        (["dlq", "retri"], "no such command 'retri', did you mean 'retry'?"),
        (["list", "--stat", "dead"], "no such option --stat, did you mean --state?"),
        (["list", "--state", "ded"], "no such state 'ded', did you mean 'dead'?"),
        (["list", "--state"], "option '--state' requires an argument"),
        (["list", "--limit", "-1"], "-1"),
        (["list", "surplus"], "unexpected extra argument (surplus)"),
        (["get"], "missing argument 'ID'"),
        (["run", "--watch"], "--watch needs a PATH to watch"),
        (["logs", "1", "-f", "--tail", "3"], "--follow goes neither"),
    ],
)
def test_usage_errors_are_one_line(cli: Cli, words: list[str], says: str):
    result = cli(*words)
    assert (result.code, result.out) == (2, "")
    assert says in result.err
    assert result.err.startswith("queuectl: ")
    assert result.err.count("\n") == 1


def test_a_terminal_obeys_no_job(ran: Path):
    _, shown = on_a_terminal(ran, "logs", "1")
    assert shown == "hello\r\n\\e[2Jfake\\rok\r\nto stderr\r\n"
    _, raw = on_a_terminal(ran, "logs", "1", "--raw")
    assert "\x1b[2Jfake\rok" in raw
    shell(ran, r"queuectl enqueue $'echo \x1b]0;pwn\x07 \xc2\x9b2J \xe2\x80\xaetxt' --key evil")
    for words in (["list"], ["get", "evil"], ["list", "-o", "json"], ["get", "evil", "-o", "json"]):
        _, shown = on_a_terminal(ran, *words, NO_COLOR="1")
        assert not {"\x07", "\x9b", "\u202e"} & set(shown)
        assert "\x1b]" not in shown
        assert r"\u202e" in shown or "…" in shown


def test_a_table_fits_the_terminal(ran: Path):
    shell(ran, f"queuectl enqueue 'echo {'long ' * 50}'")
    for columns in ("120", "80", "40"):
        _, shown = on_a_terminal(ran, "list", COLUMNS=columns, NO_COLOR="1")
        lines = re.sub(r"\x1b\[\d*m", "", shown).split("\r\n")
        assert len(lines) == 6  # heading, four jobs, what follows the last line
        assert max(map(len, lines)) <= int(columns)
        assert "…" in shown
    assert f"echo {'long ' * 50}".strip() in shell(ran, "queuectl list").stdout


def test_colours_follow_the_terminal_and_no_color(ran: Path):
    assert "\x1b[31mdead" in on_a_terminal(ran, "list")[1]
    assert "\x1b[" not in on_a_terminal(ran, "list", NO_COLOR="1")[1].replace("\x1b[1m", "").replace(
        "\x1b[0m", ""
    )
    assert "\x1b" not in on_a_terminal(ran, "get", "2", NO_COLOR="1")[1].replace("\x1b[1m", "").replace(
        "\x1b[0m", ""
    )
    assert "\x1b" not in shell(ran, "queuectl list; queuectl get 2; queuectl status").stdout


def test_long_work_shows_progress_on_a_terminal(tmp_path: Path):
    shell(tmp_path, "queuectl enqueue 'sleep 0.3'")
    script = f"{sys.executable} -m queuectl wait 1 & {sys.executable} -m queuectl run --until-idle --log-file log; wait"
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        ["bash", "-c", script], stdin=theirs, stdout=theirs, stderr=theirs,
        env=clean_environment(tmp_path, TERM="xterm"), cwd=tmp_path,
    )  # fmt: skip
    os.close(theirs)
    shown = _everything(ours, process)
    process.wait(5)
    assert "waiting  [----" in shown
    assert "100%" in shown
    assert "attempts ended" in shown
    assert "worker started" in (tmp_path / "log").read_text()


@pytest.mark.parametrize(("answer", "code", "left"), [(b"y\n", 0, 2), (b"n\n", 1, 3), (b"\n", 1, 3)])
def test_a_terminal_is_asked(cli: Cli, ran: Path, answer: bytes, code: int, left: int):
    done, shown = on_a_terminal(ran, "dlq", "clear", typed=answer)
    assert "Delete all dead jobs for good? [y/N]: " in shown
    assert done == code
    assert len(cli("list", "-o", "json").json) == left


def test_a_detached_worker(cli: Cli, tmp_path: Path):
    started = cli("worker", "start", "--detach", "--count", "2", "--queue", "default")
    assert started.code == 0, started.err
    pid = int(started.out.split("pid ")[1].split(",")[0])
    try:
        cli("enqueue", "echo done")
        assert cli("wait", "1", "--timeout", "20s").code == 0
        worker = cli("worker", "list", "-o", "json").json[0]
        assert (worker["pid"], worker["slots"], worker["queues"]) == (pid, 2, ["default"])
        assert os.getsid(pid) == pid
        assert "completed" in Path(started.out.split("log ")[1].strip()).read_text()
    finally:
        stopped = cli("worker", "stop", "--timeout", "20s")
    assert stopped.out == "1 worker stopped\n"
    assert cli("worker", "stop").out == "0 workers stopped\n"


def test_stop_now_gives_the_job_back(cli: Cli, tmp_path: Path):
    cli("enqueue", "sleep 60")
    worker = subprocess.Popen(
        [sys.executable, "-m", "queuectl", "worker", "--workers", "1", "--log-level", "error"],
        env=clean_environment(tmp_path),
    )
    wait_until(lambda: cli("list", "--state", "running", "-o", "json").json, "the job to run")
    assert cli("worker", "stop", "--now").out == "1 worker stopped\n"
    assert worker.wait(10) == 130
    job = cli("get", "1", "-o", "json").json
    assert (job["state"], job["failures"], job["attempts"][0]["outcome"]) == ("pending", 0, "interrupted")


def test_python_m_queuectl_is_the_same(tmp_path: Path):
    assert in_process(tmp_path, "--version").stdout == b"queuectl 0.1.0\n"


def test_a_detached_worker_that_finds_nothing_to_do(cli: Cli, tmp_path: Path):
    ended = cli("worker", "start", "--detach", "--until-idle")
    assert ended.code == 0, ended.err
    assert "worker" in ended.out
    wait_until(lambda: cli("worker", "list", "-o", "json").json == [], "the worker to end")


def test_names_of_files_in_a_plain_c_locale(tmp_path: Path):
    spec = tmp_path / "jobs-ü" / "größe.yaml"
    spec.parent.mkdir()
    spec.write_text("name: size\ncommand: echo ü\n")
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "QUEUECTL_DB": str(tmp_path / "ü.db")}
    applied = in_process(tmp_path, "apply", "jobs-ü", **plain)
    assert applied.stdout.decode().startswith("+ size  jobs-ü/größe.yaml\n"), applied.stderr
    assert "ü.db" in {path.name for path in tmp_path.iterdir()}


def test_sigterm_while_a_command_waits_lets_it_clean_up(cli: Cli, tmp_path: Path):
    process = subprocess.Popen(
        [sys.executable, "-m", "queuectl", "enqueue", "-", "-o", "json"], stdin=subprocess.PIPE,
        env=clean_environment(tmp_path), cwd=tmp_path,
    )  # fmt: skip
    assert process.stdin
    process.stdin.write(b"true\n")
    process.stdin.flush()
    wait_until((tmp_path / "queue.db").exists, "the queue")
    process.terminate()
    process.communicate(timeout=20)
    assert process.returncode == 143
    assert not list(tmp_path.glob(".queue.db.*"))


def test_sigterm_while_the_program_is_still_loaded(tmp_path: Path):
    loading = tmp_path / "click.py"
    loading.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\n")
    done = shell(tmp_path, "queuectl list", PYTHONPATH=f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")
    assert (done.returncode, done.stdout, done.stderr) == (143, "", "")


def test_a_deep_flow_stays_narrow(cli: Cli, tmp_path: Path):
    jobs = ["  s0: {command: 'true'}"] + [
        f"  s{n}: {{command: 'true', needs: [s{n - 1}]}}" for n in range(1, 40)
    ]
    (tmp_path / "chain.yaml").write_text("jobs:\n" + "\n".join(jobs) + "\n")
    assert cli("apply", "chain.yaml").code == 0
    lines = cli("flow", "s0").out.splitlines()
    shown = [line for line in lines if "└─ " in line]
    assert [line.split("└─ ")[1].split()[0] for line in shown] == [f"s{n}" for n in range(1, 40)]
    assert {line.index("└─ ") for line in shown[15:]} == {42}
    assert all(line.startswith("…") for line in shown[15:])


def test_why_says_that_the_store_is_read_only(cli: Cli, tmp_path: Path):
    assert cli("enqueue", "true").code == 0
    if os.getuid() == 0:  # who may write everywhere but to a file system that is read-only
        again = f"mount --bind {tmp_path} {tmp_path} && mount -o remount,ro,bind {tmp_path}"
        done = shell(
            tmp_path,
            f"unshare --mount bash -c '{again} && cd {tmp_path} && {sys.executable} -m queuectl why 1'",
        )
        if "unshare" in done.stderr or "mount:" in done.stderr:
            pytest.skip("this machine lets nobody mount")
    else:
        tmp_path.chmod(0o500)
        done = shell(tmp_path, "queuectl why 1")
        tmp_path.chmod(0o700)
    assert done.stdout.startswith("job 1: the store is read-only: "), done.stderr
    assert done.stdout.endswith("\n  make them writable, then: queuectl run\n")
