"""I. The command line and what is around it: shells, terminals, locales, users."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import cache_from_source, find_spec
from pathlib import Path

import apsw
import click
import pytest

from queuectl.cli.app import app
from queuectl.cli.lazy import LazyGroup
from tests.command import Queuectl
from tests.faults.every_command import ENDLESS, EVERY, OPEN_NO_QUEUE, live_in
from tests.faults.machine import NOBODY, as_nobody, need, need_tool
from tests.faults.ordinary import hand_over, ordinary_users_queue


def commands(group: LazyGroup = app, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, LazyGroup):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


ALL = {name: command for name, command in commands() if name not in ENDLESS}
WITH_OUTPUT = [
    name for name, command in ALL.items() if any(param.name == "output" for param in command.params)
]
every_command = pytest.mark.parametrize("name", ALL)


@pytest.fixture(scope="session")
def _lived_in_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return live_in(Queuectl(tmp_path_factory.mktemp("lived")))


@pytest.fixture
def lived_in(_lived_in_once: Path, queuectl: Queuectl) -> Queuectl:
    """A queue with something of everything, see `live_in`."""
    shutil.copytree(_lived_in_once, queuectl.folder, dirs_exist_ok=True)
    return queuectl


def shell(queuectl: Queuectl, script: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a script of bash in which `queuectl` is the program."""
    program = f'queuectl() {{ {sys.executable} -m queuectl "$@"; }}; '
    return subprocess.run(
        ["bash", "-c", program + script],
        cwd=queuectl.folder,
        env=queuectl.env | env,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=queuectl.deadline_s,
        check=False,
    )


def is_sound(queuectl: Queuectl) -> bool:
    """Tell whether the database is whole."""
    connection = apsw.Connection(str(queuectl.db))
    try:
        return list(connection.execute("PRAGMA integrity_check")) == [("ok",)]
    finally:
        connection.close()


def is_one_line(err: str, start: str = "queuectl: ") -> bool:
    """Tell whether that is what people should see of an error."""
    return err.startswith(start) and err.count("\n") == 1 and "Traceback" not in err


def test_every_command_is_tried() -> None:
    assert {*EVERY, *ENDLESS} == {name for name, _ in commands()}


# I01, I02: what becomes of the output


SHOW_NOTHING = {"run", "worker start", "worker list", "fires", "notify test", "notify send"}
"""They log to stderr, there is nothing to show, or nobody to notify."""


@pytest.mark.parametrize("name", [name for name in EVERY if name not in SHOW_NOTHING])
def test_i01_a_full_disk_behind_stdout_is_one_line(lived_in: Queuectl, name: str) -> None:
    need(Path("/dev/full").exists(), "/dev/full (Linux)")
    done = shell(lived_in, f"queuectl {EVERY[name]} >/dev/full")
    assert (done.returncode, done.stderr) == (1, "queuectl: output: No space left on device\n")
    assert is_sound(lived_in)


@pytest.mark.parametrize(
    "option", ["--help", "--version", "list --help", "list -o json", "list -o jsonl", "logs hello -f"]
)
def test_i01_so_it_is_with_these(lived_in: Queuectl, option: str) -> None:
    need(Path("/dev/full").exists(), "/dev/full (Linux)")
    done = shell(lived_in, f"queuectl {option} >/dev/full")
    assert (done.returncode, done.stderr) == (1, "queuectl: output: No space left on device\n")


def test_i01_a_full_disk_behind_both(lived_in: Queuectl) -> None:
    need(Path("/dev/full").exists(), "/dev/full (Linux)")
    assert shell(lived_in, "queuectl list >/dev/full 2>/dev/full").returncode == 1
    assert shell(lived_in, "queuectl get nope 2>/dev/full").returncode == 1


@pytest.fixture
def much(lived_in: Queuectl) -> Queuectl:
    """With more to show than a pipe holds."""
    many = "\n".join(["true"] * 2000)
    lived_in("enqueue", "-", "--queue", "many", stdin=many)
    lived_in("enqueue", "seq 100000", "--key", "chatty", "--queue", "chatty")
    lived_in("run", "--until-idle", "--queue", "chatty")
    return lived_in


def test_i02_a_reader_that_has_enough(much: Queuectl) -> None:
    for line in (
        "list --limit 0", "list --limit 0 -o json", "list --limit 0 -o jsonl", "logs chatty", "logs chatty -f",
        "logs chatty -o json", "schema", "next --count 2000", "completion bash", "--help", "status",
    ):  # fmt: skip
        done = shell(much, f"queuectl {line} | head -1; echo ${{PIPESTATUS[0]}}")
        assert done.stdout.splitlines()[-1] in {"0", "141"}, line
        assert len(done.stdout.splitlines()) == 2, line
        assert done.stderr == "", line


def test_i02_enqueue_says_where_it_stopped(much: Queuectl) -> None:
    done = shell(
        much, "yes true | head -20000 | queuectl enqueue - -o jsonl | head -1; echo ${PIPESTATUS[2]}"
    )
    assert json.loads(done.stdout.splitlines()[0])["command"] == "true"
    assert done.stdout.splitlines()[1] == "141"
    assert re.fullmatch(
        r"queuectl: the [\d,]+ jobs up to line \d+ are enqueued, none after it: .*\n", done.stderr
    )
    assert is_sound(much)


# I03, I04: text


@pytest.mark.parametrize(
    "locale",
    [{"LC_ALL": "C", "PYTHONUTF8": "0"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}],
)
def test_i03_a_plain_c_locale(queuectl: Queuectl, locale: dict[str, str]) -> None:
    queuectl.env |= locale | {"QUEUECTL_DB": str(queuectl.folder / "größe.db")}
    queuectl.db = queuectl.folder / "größe.db"
    folder = queuectl.folder / "jobs-ü"
    folder.mkdir()
    (folder / "größe.yaml").write_text(
        "name: size\ndescription: größe\ncommand: echo ü > ausgabe-ü; echo fertig ü\n"
    )
    assert "jobs-ü/größe.yaml" in queuectl("apply", "jobs-ü")
    queuectl("enqueue", "echo ö", "--key", "ü", "--env", "NAME=ß", "--cwd", str(folder))
    queuectl("run", "--until-idle")
    assert queuectl("logs", "ü") == "ö\n"
    assert queuectl("logs", "size") == "fertig ü\n"
    assert (folder / "ausgabe-ü").exists()
    assert queuectl.json("list")[0]["key"] == "ü"
    assert queuectl.run("get", "ö").stderr.startswith("queuectl: there is no job 'ö'")


@pytest.mark.parametrize("name", ["list", "enqueue", "get", "worker start", "dlq retry", "completion bash"])
def test_i04_an_argument_that_is_not_utf_8(lived_in: Queuectl, name: str) -> None:
    done = shell(lived_in, f"queuectl {name} $'\\xff'")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "queuectl: argument b'\\xff' is not UTF-8\n"


@pytest.mark.parametrize(
    ("script", "code", "says"),
    [
        (r"queuectl enqueue true --key $'a\xff'", 2, "is not UTF-8"),
        (r"QUEUECTL_DB=$'\xff.db' queuectl enqueue true", 2, "--db or QUEUECTL_DB"),
        (r"XDG_STATE_HOME=$'/tmp/\xff' QUEUECTL_DB= queuectl list", 2, "UTF-8"),
        (r"QUEUECTL_TIMEZONE=$'\xff' queuectl list", 2, "QUEUECTL_TIMEZONE"),
        (r"QUEUECTL_LOG_DIR=$'/\xff' queuectl run --until-idle", 2, "QUEUECTL_LOG_DIR"),
        (r"printf 'true\n\xff\n' | queuectl enqueue -", 2, "line 2 is not UTF-8"),
        (r"printf '{\"command\": \"\xff\"}' > j.json; queuectl enqueue --file j.json", 2, "j.json is not UTF-8"),
        (r"mkdir $'d\xff' && cd $'d\xff' && queuectl --db q.db enqueue true", 2, "UTF-8"),
        (r"mkdir $'d\xff' && cd $'d\xff' && queuectl enqueue true", 2, "UTF-8"),
    ],
)  # fmt: skip
def test_i04_other_text_that_is_not_utf_8(queuectl: Queuectl, script: str, code: int, says: str) -> None:
    done = shell(queuectl, script)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert is_one_line(done.stderr), done.stderr
    assert says in done.stderr
    assert not list(queuectl.folder.rglob("*.db*"))


# I05: closed files


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_i05_closed_standard_files(queuectl: Queuectl, closed: str) -> None:
    done = shell(queuectl, f"queuectl enqueue 'sleep 0.2' {closed} && queuectl run --until-idle {closed}")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert queuectl.states() == {1: "completed"}
    assert is_sound(queuectl)


def test_i05_the_database_is_never_a_standard_file(queuectl: Queuectl) -> None:
    need(Path("/proc/self/fd").is_dir(), "/proc (Linux)")
    queuectl("enqueue", "ls -l /proc/self/fd/; sleep 60")
    worker = queuectl.under("bash", "-c", 'exec "$@" <&- >&- 2>&-', "bash").start("run")
    queuectl.wait_until(lambda: queuectl.states()[1] == "processing", "the job runs")
    kept = {link.name: link.readlink() for link in Path(f"/proc/{worker.pid}/fd").iterdir()}
    assert {str(kept[name]) for name in "012"} == {"/dev/null"}
    assert {str(queuectl.db), f"{queuectl.db}-wal"} <= {str(path) for path in kept.values()}
    queuectl.wait_until(lambda: "/dev/null" in queuectl("logs", "1"), "the job has said what it holds")
    assert "q.db" not in queuectl("logs", "1")


# I06 is about JSON


@pytest.mark.parametrize(
    ("name", "where"),
    [
        *((name, where) for name in WITH_OUTPUT for where in ("lived in", "empty")),
        *((name, "missing") for name in ("list", "status", "get", "apply", "next", "doctor")),
    ],
)
def test_i06_stdout_is_json_or_nothing(lived_in: Queuectl, name: str, where: str) -> None:
    if where != "lived in":
        lived_in.db = lived_in.folder / "other.db"
        lived_in.env["QUEUECTL_DB"] = str(lived_in.db)
    if where == "empty":
        lived_in("config", "set", "max-retries", "3")
    for output in ("json", "jsonl") if where == "lived in" else ("json",):
        done = lived_in.run(*EVERY[name].split(), "-o", output)
        assert done.returncode in {0, 1}, done.stderr
        assert "Traceback" not in done.stderr
        if output == "json" and done.stdout:
            json.loads(done.stdout)
        elif done.returncode == 0 and output == "json":
            pytest.fail("no JSON, and no error")
        else:
            for line in done.stdout.splitlines():
                json.loads(line)
        assert done.stdout or done.stderr or output == "jsonl"


@pytest.mark.parametrize("name", WITH_OUTPUT)
def test_i06_an_error_leaves_stdout_empty(lived_in: Queuectl, name: str) -> None:
    lived_in.db.write_bytes(b"no queue")
    done = lived_in.run(*EVERY[name].split(), "-o", "json")
    if name == "doctor":
        assert json.loads(done.stdout)[0]["exit_code"] == 5
    elif name in OPEN_NO_QUEUE:
        assert json.loads(done.stdout)["valid"] is True
    else:
        assert (done.returncode, done.stdout) == (5, ""), done.stderr
        assert is_one_line(done.stderr), done.stderr


def test_i06_warnings_go_to_stderr(lived_in: Queuectl) -> None:
    lived_in.spec("piped", "command: cat a | sort\n")
    (lived_in.folder / "jobs.d" / "notes.txt").touch()
    for line in ("validate", "diff", "apply"):
        done = lived_in.run(*EVERY[line].split(), "-o", "json")
        assert "piped" in done.stderr
        assert json.loads(done.stdout)
    (lived_in.folder / "jobs.d" / "nightly.yaml").unlink()
    done = lived_in.run(*EVERY["apply"].split(), "-o", "json")
    assert json.loads(done.stdout)["orphaned"] == ["nightly"]


def test_i06_more_than_is_shown_is_said_on_stderr(lived_in: Queuectl) -> None:
    done = lived_in.run("list", "--limit", "1", "-o", "json")
    assert len(json.loads(done.stdout)) == 1
    assert "only the newest 1 are shown" in done.stderr


# I07: what is around a process


def test_i07_no_home(queuectl: Queuectl) -> None:
    gone = "unset HOME XDG_STATE_HOME QUEUECTL_DB; "
    assert (
        shell(
            queuectl, gone + "queuectl --db q.db enqueue date && queuectl --db q.db run --until-idle"
        ).returncode
        == 0
    )
    assert queuectl.states() == {1: "completed"}
    relative = shell(queuectl, gone + "HOME=here queuectl list")
    assert relative.returncode == 2
    assert is_one_line(relative.stderr)
    assert "name its file with --db or QUEUECTL_DB" in relative.stderr


def test_i07_a_home_that_can_not_be_written(queuectl: Queuectl) -> None:
    for home in ("/proc", "/dev/null"):
        done = shell(queuectl, f"unset XDG_STATE_HOME QUEUECTL_DB; HOME={home} queuectl enqueue date")
        assert done.returncode == 4
        assert is_one_line(done.stderr), done.stderr
        assert home in done.stderr


def test_i07_the_current_folder_is_gone(lived_in: Queuectl) -> None:
    gone = "mkdir gone && cd gone && rmdir ../gone && "
    for line in ("list", "logs hello", "run --until-idle --queue none", "doctor --quick", "schema"):
        assert shell(lived_in, f"{gone}queuectl {line}").returncode == 0, line
    for line in ("enqueue true", "apply jobs.d", "validate jobs.d", "backup copy.db", "--db q.db list"):
        done = shell(lived_in, f"{gone}queuectl {line}")
        assert done.returncode in {1, 2, 3, 4}, line
        assert "Traceback" not in done.stderr
        assert "unexpected" not in done.stderr
        assert done.stderr.count("\n") <= 2, (line, done.stderr)


def test_i07_files_are_private_whatever_the_umask(queuectl: Queuectl) -> None:
    need(sys.platform == "linux", "GNU find (Linux)")
    done = shell(
        queuectl,
        "umask 000; export QUEUECTL_DB=$PWD/new/sub/q.db; "
        "queuectl enqueue 'seq 20000' && queuectl run --until-idle --log-file new/run.log && "
        "queuectl backup new/copy.db; "
        "queuectl enqueue 'sleep 60' && queuectl worker start --detach && "
        "for i in $(seq 200); do queuectl list --state processing | grep -q sleep && break; done; "
        "find new -printf '%m %y %p\\n'; queuectl worker stop --now",
    )
    found = [line.split(" ", 2) for line in done.stdout.splitlines() if re.match(r"\d+ [dfs] new", line)]
    names = {Path(path).name for _, _, path in found}
    assert {
        "new",
        "sub",
        "q.db",
        "q.db-wal",
        "q.db-shm",
        "q.logs",
        "q.wake",
        "run.log",
        "copy.db",
        "1-1.log",
    } <= names, done
    assert {(mode, kind) for mode, kind, _ in found} == {("700", "d"), ("600", "f"), ("600", "s")}, found


def test_i07_a_read_only_tmp(queuectl: Queuectl) -> None:
    need(sys.platform == "linux" and os.getuid() == 0, "root on Linux, to mount a read-only /tmp")
    need_tool("unshare")
    script = (
        f"mount --bind {queuectl.folder} /mnt && mount --bind /tmp /tmp && mount -o remount,ro,bind /tmp && cd /mnt && "
        "export QUEUECTL_DB=/mnt/q.db HOME=/mnt TMPDIR=/tmp && ! touch /tmp/x 2>/dev/null && "
        "queuectl enqueue 'seq 50000' && queuectl run --until-idle && queuectl logs 1 | tail -1"
    )
    done = subprocess.run(
        ["unshare", "--mount", "bash", "-c", f'queuectl() {{ {sys.executable} -m queuectl "$@"; }}; {script}'],
        env=queuectl.env, capture_output=True, text=True, timeout=queuectl.deadline_s, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "50000"
    assert "Traceback" not in done.stderr


# I08 is about Ctrl-C


GRACEFUL = {"run", "worker start"}
"""To them the first Ctrl-C says: finish what runs."""
CALLS = "openat,read,pread64,pwrite64,fdatasync,fcntl"


def interrupted(queuectl: Queuectl, name: str, when: int) -> subprocess.CompletedProcess[str]:
    """Run a command that gets SIGINT at its n-th system call on the queue, or on what it works with instead."""
    need_tool("strace")
    files = [f"{queuectl.db}{ending}" for ending in ("", "-wal", "-shm")]
    if name in OPEN_NO_QUEUE:
        module = find_spec(f"queuectl.cli.commands.{name.replace(' ', '.')}")
        assert module
        assert module.origin
        files = [module.origin, cache_from_source(module.origin)]
    words = ["-f", "-qq", "-o", "/dev/null", *(word for file in files for word in ("-P", file))]
    inject = ["-e", f"trace={CALLS}", "-e", f"inject={CALLS}:signal=SIGINT:when={when}"]
    return queuectl.under("strace", *words, *inject).run(*EVERY[name].split())


@every_command
def test_i08_ctrl_c_in_every_command(lived_in: Queuectl, name: str) -> None:
    done = interrupted(lived_in, name, when=1)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "queuectl: interrupted\n")
    assert is_sound(lived_in)
    if name in OPEN_NO_QUEUE:
        return
    done = interrupted(lived_in, name, when=25)
    assert done.returncode in ({0, 130} if name in GRACEFUL else {130}), done.stderr
    assert "Traceback" not in done.stderr
    assert is_sound(lived_in)


@pytest.mark.parametrize("name", ["enqueue", "apply", "purge", "dlq retry"])
def test_i08_ctrl_c_at_any_place_of_a_command_that_writes(lived_in: Queuectl, name: str) -> None:
    for when in range(10, 200, 12):
        done = interrupted(lived_in, name, when)
        if done.returncode == 0:
            assert when > 20, "it was never interrupted"
            break
        assert done.returncode == 130, done.stderr
        assert done.stderr.endswith("queuectl: interrupted\n")
        assert "Traceback" not in done.stderr
    assert is_sound(lived_in)


class Terminal:
    """A command that has a terminal to itself, on which somebody types."""

    def __init__(self, queuectl: Queuectl, *words: str) -> None:
        need_tool("setsid")
        self.ours, theirs = pty.openpty()
        self.shown = b""
        self.process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", *queuectl.argv(*words)],
            stdin=theirs, stdout=theirs, stderr=theirs, cwd=queuectl.folder, env=queuectl.env | {"TERM": "xterm"},
        )  # fmt: skip
        os.close(theirs)
        self.until = time.monotonic() + queuectl.deadline_s

    def see(self, enough: Callable[[str], object]) -> None:
        """Read what is shown until it is enough, or the end."""
        while not enough(self.shown.decode(errors="replace")):
            assert time.monotonic() < self.until, f"never came: {self.shown!r}"
            try:
                self.shown += os.read(self.ours, 65536) if select.select([self.ours], [], [], 0.1)[0] else b""
            except OSError:  # closed on the other side
                return

    def type(self, text: bytes) -> None:
        os.write(self.ours, text)

    def interrupt(self) -> tuple[int, str]:
        """Type Ctrl-C until it is heard: Python misses the one that comes as it begins to read an answer."""
        while self.process.poll() is None and time.monotonic() < self.until:
            self.type(b"\x03")
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(0.5)
        return self.end()

    def end(self) -> tuple[int, str]:
        """Return the exit code, and all that was shown."""
        try:
            self.see(lambda _: False)
            return self.process.wait(10), self.shown.decode()
        finally:
            os.close(self.ours)
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()


QUESTIONS = [
    "purge", "dlq clear", "queue clear mail", "spec delete nightly", "config reset",
    "apply --prune jobs.d --source jobs",
]  # fmt: skip


@pytest.mark.parametrize("words", QUESTIONS)
def test_i08_ctrl_c_at_a_question(lived_in: Queuectl, words: str) -> None:
    if words.startswith("apply"):
        (lived_in.folder / "jobs.d" / "nightly.yaml").write_text("command: x\nname: other\n")
    before = lived_in.states()
    terminal = Terminal(lived_in, *words.split())
    terminal.see(lambda shown: "[y/N]" in shown)
    code, shown = terminal.interrupt()
    assert code == 130, shown
    assert "stopped, nothing was changed" in shown
    assert "Traceback" not in shown
    assert lived_in.states() == before
    assert lived_in.look(lambda store: [stored.name for stored in store.specs.list()]) == ["nightly"]
    assert is_sound(lived_in)


def test_i08_ctrl_c_while_a_command_waits(lived_in: Queuectl) -> None:
    need(Path("/proc/self/fd").is_dir(), "/proc (Linux)")
    for words in (
        ["wait", "later"], ["logs", "-f", "later"], ["enqueue", "true", "--wait", "--queue", "none"],
        ["trigger", "nightly", "--wait"],
    ):  # fmt: skip
        terminal = Terminal(lived_in, *words)
        terminal.see(lambda _: _has_open(lived_in))
        terminal.type(b"\x03")
        code, shown = terminal.end()
        assert code == 130, (words, shown)
        assert shown.endswith("queuectl: interrupted\r\n")
        assert "Traceback" not in shown
    assert is_sound(lived_in)


def _has_open(queuectl: Queuectl) -> bool:
    """Whether somebody has opened the queue and has its log mapped."""
    return queuectl.db.with_name("q.db-shm").exists() and bool(_holders(queuectl.db))


def _holders(path: Path) -> list[int]:
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdecimal() and process.name != str(os.getpid()):
            try:
                links = [link.readlink() for link in (process / "fd").iterdir()]
            except OSError:
                continue
            if path in links:
                found.append(int(process.name))
    return found


def test_i08_ctrl_c_while_lines_come_in(queuectl: Queuectl) -> None:
    terminal = Terminal(queuectl, "enqueue", "-")
    terminal.type(b"echo one\n")
    queuectl.wait_until(lambda: queuectl.db.exists() and queuectl.states(), "the first line is enqueued")
    terminal.type(b"\x03")
    code, shown = terminal.end()
    assert code == 130
    assert "the 1 job up to line 1 are enqueued, none after it: go on from line 2" in shown
    assert shown.endswith("queuectl: interrupted\r\n")
    assert len(queuectl.states()) == 1


def test_i08_ctrl_c_in_a_run(queuectl: Queuectl) -> None:
    queuectl("enqueue", "sleep 1; echo done")
    terminal = Terminal(queuectl, "run")
    terminal.see(lambda shown: "started job=1" in shown)
    terminal.type(b"\x03")
    code, shown = terminal.end()
    assert code == 0, shown
    assert queuectl.states() == {1: "completed"}

    queuectl("enqueue", "sleep 600")
    terminal = Terminal(queuectl, "run")
    terminal.see(lambda shown: "started job=2" in shown)
    terminal.type(b"\x03")
    terminal.see(lambda shown: "stopping" in shown)
    terminal.type(b"\x03")
    code, shown = terminal.end()
    assert code == 130, shown
    assert "Traceback" not in shown
    job = queuectl.json("get", "2")
    assert (job["state"], job["failures"], job["attempts"][0]["outcome"]) == ("pending", 0, "interrupted")


def test_i08_ctrl_c_while_workers_stop(queuectl: Queuectl) -> None:
    queuectl("enqueue", "sleep 600")
    worker = queuectl.start("run")
    queuectl.wait_until(lambda: queuectl.states()[1] == "processing", "the job runs")
    terminal = Terminal(queuectl, "worker", "stop")
    queuectl.wait_until(
        lambda: queuectl.look(lambda store: store.workers.list()[0].stop), "it is asked to stop"
    )
    terminal.type(b"\x03")
    assert terminal.end() == (130, "^Cqueuectl: interrupted\r\n")
    assert worker.poll() is None
    queuectl("worker", "stop", "--now")
    assert worker.wait(20) == 130


# I09: what isn't there


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("get helo", "there is no job 'helo', did you mean 'hello'?"),
        ("get 99", "there is no job '99'"),
        ("logs helo", "did you mean 'hello'?"),
        ("wait helo", "did you mean 'hello'?"),
        ("cancel hello latr", "did you mean 'later'?"),
        ("retry bom", "did you mean 'boom'?"),
        ("dlq show bom", "did you mean 'boom'?"),
        ("dlq retry bom", "did you mean 'boom'?"),
        ("dlq retry --all --spec nightl", "did you mean 'nightly'?"),
        ("trigger nigtly", "did you mean 'nightly'?"),
        ("spec show nigtly", "did you mean 'nightly'?"),
        ("spec pause nigtly", "did you mean 'nightly'?"),
        ("spec resume nigtly", "did you mean 'nightly'?"),
        ("spec delete nigtly --yes", "did you mean 'nightly'?"),
        ("fires nigtly", "did you mean 'nightly'?"),
        ("next --spec nigtly", "did you mean 'nightly'?"),
        ("list --spec nigtly", "did you mean 'nightly'?"),
        ("queue resume mial", "did you mean 'mail'?"),
        ("queue clear mial --yes", "did you mean 'mail'?"),
        ("worker stop 4f6a", "there is no worker '4f6a'"),
        ("worker pause 4f6a", "there is no worker '4f6a'"),
        ("worker resume 4f6a", "there is no worker '4f6a'"),
        ("logs hello --attempt 7", "job 1 has no attempt 7; it has attempt 1"),
    ],
)
def test_i09_an_unknown_name(lived_in: Queuectl, words: str, says: str) -> None:
    done = lived_in.run(*words.split())
    assert (done.returncode, done.stdout) == (1, "")
    assert is_one_line(done.stderr), done.stderr
    assert says in done.stderr
    assert lived_in.states() == {1: "completed", 2: "dead", 3: "scheduled", 4: "pending"}


def test_i09_a_queue_comes_with_its_first_job_so_its_name_is_only_remarked_on(lived_in: Queuectl) -> None:
    for words in (["list"], ["dlq", "list"]):
        done = lived_in.run(*words, "--queue", "mial", "-o", "json")
        assert (done.returncode, json.loads(done.stdout)) == (0, [])
        assert done.stderr == "there is no queue 'mial' yet, did you mean 'mail'?\n"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("config get max-retry", "did you mean 'max-retries'?"),
        ("config set max-retry 3", "did you mean 'max-retries'?"),
        ("config unset max-retry", "did you mean 'max-retries'?"),
        ("lst", "did you mean 'list'?"),
        ("list --stat dead", "did you mean --state?"),
        ("list --state ded", "did you mean 'dead'?"),
    ],
)
def test_i09_an_unknown_word_of_the_command_line(lived_in: Queuectl, words: str, says: str) -> None:
    done = lived_in.run(*words.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert is_one_line(done.stderr)
    assert says in done.stderr


# I10: two users


@contextmanager
def _roots_queue() -> Iterator[Queuectl]:
    """Give a queue of root's in a folder that everybody may look into, and the command line of another user."""
    need(os.getuid() == 0, "root, to be two users")
    with tempfile.TemporaryDirectory() as temporary:
        queuectl = Queuectl(Path(temporary))
        queuectl.folder.chmod(0o755)
        queuectl("enqueue", "true")
        other = queuectl.under(*as_nobody())
        yield other
        other.end()


@pytest.fixture
def roots_queue() -> Iterator[Queuectl]:
    with _roots_queue() as queuectl:
        yield queuectl


@pytest.fixture(scope="module")
def roots_own() -> Iterator[Queuectl]:
    """The same for many: nothing that the other user does changes it."""
    with _roots_queue() as queuectl:
        yield queuectl


OPENS_THE_QUEUE = [name for name in EVERY if name not in OPEN_NO_QUEUE]


@pytest.mark.parametrize("name", OPENS_THE_QUEUE)
def test_i10_the_queue_of_another_user(roots_own: Queuectl, name: str) -> None:
    done = roots_own.run(*EVERY[name].split())
    if name == "doctor":
        assert done.returncode == 1
        assert "its owner user 0" in done.stdout
        return
    assert (done.returncode, done.stdout) == (4, ""), done.stderr
    assert is_one_line(done.stderr), done.stderr
    assert str(roots_own.db) in done.stderr
    assert "mode is 0600, its owner user 0 (root)" in done.stderr


def test_i10_a_folder_of_another_user(roots_queue: Queuectl) -> None:
    roots_queue.folder.chmod(0o700)
    done = roots_queue.run("list")
    assert done.returncode == 4
    assert is_one_line(done.stderr)
    assert f"{roots_queue.folder} has mode 0700, its owner user 0 (root)" in done.stderr


def test_i10_a_log_of_another_user(roots_queue: Queuectl) -> None:
    """What once was run with sudo leaves such a file."""
    for path in (roots_queue.folder, roots_queue.db):
        os.chown(path, NOBODY, NOBODY)
    wal = roots_queue.db.with_name("q.db-wal")
    wal.touch(0o600)
    done = roots_queue.run("list")
    assert done.returncode == 4
    assert is_one_line(done.stderr), done.stderr
    assert f"{wal} is in the way, its mode is 0600, its owner user 0 (root)" in done.stderr
    found = json.loads(roots_queue.run("doctor", "-o", "json").stdout)
    (files,) = [finding for finding in found if finding["check"] == "files"]
    assert files["status"] == "problem"
    assert f"chown nobody {wal}" in files["advice"]


def test_i10_root_uses_the_queue_of_another_user_and_leaves_it_usable() -> None:
    need(os.getuid() == 0, "root, to be two users")
    with ordinary_users_queue() as theirs:
        theirs("enqueue", "seq 50000", "--key", "first")
        roots = theirs.under()
        roots("list")
        roots("enqueue", "seq 50000", "--key", "second")
        worker = roots.start("run")
        roots.wait_until(lambda: set(roots.states().values()) == {"completed"}, "root's worker has run both")
        theirs("enqueue", "true", "--key", "third")
        roots.wait_until(lambda: set(roots.states().values()) == {"completed"}, "the third, too")
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(20) == 0
        for path in theirs.folder.iterdir():
            if path.name.startswith("q.db"):
                assert path.stat().st_uid == NOBODY, path
        theirs("enqueue", "seq 50000", "--key", "fourth")
        theirs("run", "--until-idle")
        assert theirs.json("get", "fourth")["state"] == "completed"


def test_i10_two_users_find_two_queues() -> None:
    need(os.getuid() == 0, "root, to be two users")
    with ordinary_users_queue() as theirs:
        del theirs.env["QUEUECTL_DB"]
        hand_over(theirs)
        theirs("enqueue", "true")
        assert (theirs.folder / "state" / "queuectl" / "queue.db").stat().st_uid == NOBODY
