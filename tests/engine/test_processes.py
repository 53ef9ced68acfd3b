from __future__ import annotations

import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from queuectl.engine.launch import Ended, Started
from queuectl.model.spec import BASH
from queuectl.model.states import Outcome
from tests.engine.attempts import Attempts, now_ms, wait_until


def running(*words: str) -> list[int]:
    """Pids of the living processes with exactly these words as their command line."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cmdline() == list(words) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def nap() -> tuple[str, str]:
    """`sleep` and a time that no other test sleeps for."""
    nap.count = getattr(nap, "count", 0) + 1  # type: ignore[attr-defined]
    return "sleep", f"{1000 + nap.count}.{os.getpid()}"  # type: ignore[attr-defined]


def script(text: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own, from the repository."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(text)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])},
    )


# How an attempt ends


def test_success_and_failure(any_attempts: Attempts) -> None:
    good = any_attempts.run("echo to stdout; echo to stderr >&2")
    assert (good.outcome, good.exit_code, good.signal, good.error) == (Outcome.SUCCEEDED, 0, None, None)
    assert good.output == b"to stdout\nto stderr\n"
    bad = any_attempts.run("exit 7")
    assert (bad.outcome, bad.exit_code, bad.error) == (Outcome.FAILED, 7, None)


def test_argv_is_no_shell_text(any_attempts: Attempts) -> None:
    assert any_attempts.run(("printf", "%s|", "; echo no", "$HOME")).output == b"; echo no|$HOME|"


def test_shell_is_a_prefix(attempts: Attempts) -> None:
    end = attempts.run("false | true", shell=BASH)
    assert (end.outcome, end.exit_code) == (Outcome.FAILED, 1)


def test_signal_by_name(any_attempts: Attempts) -> None:
    end = any_attempts.run("kill -SEGV $$")
    assert (end.outcome, end.exit_code, end.signal) == (Outcome.SIGNALLED, None, "SIGSEGV")
    assert end.error is None


def test_kill_from_outside_says_so(attempts: Attempts) -> None:
    end = attempts.run("kill -KILL $$")
    assert (end.outcome, end.signal) == (Outcome.SIGNALLED, "SIGKILL")
    assert end.error == "killed from outside (out of memory?)"


def test_shell_exit_codes_in_words(attempts: Attempts) -> None:
    assert attempts.run("no-such-command").error == "exit code 127: the shell did not find the command"
    assert attempts.run(("/bin/sh", "-c", "exit 127")).error is None


def test_cpu_time_and_memory(attempts: Attempts) -> None:
    own_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1)
    size_kib = own_kib + 200_000
    code = f"x = b'x' * {size_kib * 1024}; sum(range(10**6))"
    busy = attempts.run((sys.executable, "-c", code))
    assert busy.cpu_ms is not None
    assert 20 < busy.cpu_ms < 10_000
    assert busy.max_rss_kib is not None
    assert size_kib < busy.max_rss_kib < size_kib + 100_000
    assert attempts.run("true").max_rss_kib is None, "what is below the worker's own peak can't be known"


def test_an_exit_status_taken_by_others_ends_the_attempt(attempts: Attempts) -> None:
    started = attempts.start("exit 3")
    os.waitpid(started.pid, 0)
    end = attempts.end_of(started)
    assert (end.outcome, end.exit_code) == (Outcome.FAILED, None)
    assert end.error == "another part of the worker's process took its exit status"


# What a job gets


def test_session_of_its_own(any_attempts: Attempts) -> None:
    started = any_attempts.start("exec sleep 20")
    assert os.getsid(started.pid) == os.getpgid(started.pid) == started.pid
    assert any_attempts.processes.running() == [started.key]
    any_attempts.processes.stop(started.key, Outcome.CANCELLED, now_ms())
    any_attempts.end_of(started)
    assert any_attempts.processes.running() == []


def test_stdin_is_at_its_end(any_attempts: Attempts) -> None:
    assert any_attempts.run("read line; echo $?").output == b"1\n"


def test_closing_its_outputs_is_fine(any_attempts: Attempts) -> None:
    assert any_attempts.run("exec >&- 2>&-; true").outcome is Outcome.SUCCEEDED


def test_no_descriptors_but_the_standard_ones() -> None:
    done = script(
        """
        import os, tempfile
        from pathlib import Path
        inherited = os.open("/dev/null", os.O_RDONLY); os.set_inheritable(inherited, True)
        from queuectl.engine.descriptors import close_on_exec_all
        close_on_exec_all()
        assert not os.get_inheritable(inherited) and os.get_inheritable(1)
        from tests.engine.attempts import Attempts
        folder = tempfile.TemporaryDirectory()
        for own in (True, False):
            attempts = Attempts(Path(folder.name), own_process=own)
            end = attempts.run("for n in $(seq 0 300); do [ ! -e /dev/fd/$n ] || echo $n; done")
            print(end.output.split())
        """
    )
    assert done.stdout.splitlines() == ["[b'0', b'1', b'2']"] * 2, done


def test_standard_descriptors_of_the_worker_are_made_sure_of() -> None:
    program = (
        "from queuectl.engine.descriptors import ensure_standard_fds as ensure; import os; ensure()\n"
        "assert os.open('/', os.O_RDONLY) > 2\n"
        "for fd in (0, 1, 2): assert os.readlink(f'/dev/fd/{fd}') == '/dev/null' and os.get_inheritable(fd)"
    )
    done = subprocess.run(
        ["/bin/sh", "-c", '"$0" -c "$1" <&- >&- 2>&-', sys.executable, program], check=False, timeout=20
    )
    assert done.returncode == 0


def test_signals_are_as_if_nothing_had_been_set(attempts: Attempts) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGTERM})
    ignored = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        end = attempts.run('kill -HUP "$$"; echo survived')
        assert (end.signal, end.output) == ("SIGHUP", b"")
        assert attempts.run('kill -USR1 "$$"; echo blocked').signal == "SIGUSR1"
    finally:
        signal.signal(signal.SIGHUP, ignored)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def test_sigpipe_ends_the_writer(any_attempts: Attempts) -> None:
    command = 'set +e; yes | head -1; echo "${PIPESTATUS[0]}"'
    assert any_attempts.run(command, shell=BASH).output == b"y\n141\n"


def test_cwd_is_the_jobs_and_not_the_workers(any_attempts: Attempts, tmp_path: Path) -> None:
    before = Path.cwd()
    (tmp_path / "wörk").mkdir()
    assert any_attempts.run("pwd", cwd=str(tmp_path / "wörk")).output.decode().endswith("/wörk\n")
    assert any_attempts.run("true", cwd=str(tmp_path / "none")).outcome is Outcome.SPAWN_FAILED
    assert Path.cwd() == before


def test_a_worker_whose_folder_is_gone_still_starts_jobs(any_attempts: Attempts, tmp_path: Path) -> None:
    before = Path.cwd()
    (tmp_path / "gone").mkdir()
    os.chdir(tmp_path / "gone")
    try:
        (tmp_path / "gone").rmdir()
        assert any_attempts.run("echo ok").output == b"ok\n"
    finally:
        os.chdir(before)


def test_without_posix_spawns_setsid(attempts: Attempts, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*args: object, **kwargs: object) -> int:
        raise NotImplementedError("setsid")

    monkeypatch.setattr(os, "posix_spawn", missing)
    assert attempts.run("ps -o sid= -p $$; echo $$; exit 4").exit_code == 4
    assert attempts.run("pwd").output == f"{attempts.cwd}\n".encode()


# What can't start


@pytest.mark.parametrize(
    ("command", "fields", "error"),
    [
        ("true", {"cwd": "/no/such"}, "cwd /no/such does not exist"),
        ("true", {"cwd": "/etc/passwd"}, "cwd /etc/passwd is not a folder"),
        ("true", {"shell": ("/bin/foo", "-c")}, "shell /bin/foo not found"),
        ("true", {"shell": ("foo-sh", "-c")}, "shell foo-sh not found on PATH"),
        (("no-such-program", "x"), {}, "program 'no-such-program' not found on PATH"),
        (("./plain",), {}, "program './plain' is not executable"),
        (("./headless",), {}, "program './headless' is no program for this machine and has no #! line"),
        (
            ("./orphan",),
            {},
            "program './orphan' can't be started: the interpreter in its #! line does not exist",
        ),
        (("plain",), {"env": {"PATH": "."}}, "program 'plain' (./plain) is not executable"),
        ("true", {"env": {"BIG": "x" * 200_000}}, "too large for the operating system (E2BIG)"),
        ("echo " + "x" * 131_072, {}, "too large for the operating system (E2BIG)"),
        ("true", {"env": {"A=B": "x"}}, "can't be passed on: illegal environment variable name"),
        ("echo \0", {}, "can't be passed on: embedded null byte"),
    ],
)
def test_spawn_failures_are_told_apart(
    any_attempts: Attempts, command: str | tuple[str, ...], fields: dict[str, object], error: str
) -> None:
    (any_attempts.cwd / "plain").write_text("no program")
    for name, text in (("headless", "\x01\x02"), ("orphan", "#!/no/such/interpreter\n")):
        (any_attempts.cwd / name).write_text(text)
        (any_attempts.cwd / name).chmod(0o755)
    ended = any_attempts.try_start(command, **fields)
    assert isinstance(ended, Ended)
    assert ended.end.outcome is Outcome.SPAWN_FAILED
    assert error in (ended.end.error or "")
    assert not ended.end.out_of_resources
    any_attempts.processes.close()
    assert list(any_attempts.logs.iterdir()) == [], "a job that never started leaves no log"
    assert any_attempts.processes.running() == []


def test_programs_are_found_as_a_shell_would(any_attempts: Attempts) -> None:
    tool = any_attempts.cwd / "bin" / "tool"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho found $0\n")
    tool.chmod(0o755)
    assert any_attempts.run(("bin/tool",)).output == b"found bin/tool\n"
    path = f"/nowhere:bin:{os.environ['PATH']}"
    assert any_attempts.run(("tool",), env={"PATH": path}).output == b"found bin/tool\n"


def test_out_of_processes_and_descriptors() -> None:
    """As an ordinary user: root has no limit on processes."""
    done = script(
        """
        import os, resource, tempfile
        from pathlib import Path
        from tests.engine.attempts import Attempts
        from queuectl.engine.launch import Ended
        import queuectl.model.states
        if os.getuid() == 0:
            os.setgroups([]); os.setgid(65534); os.setuid(65534)
        folder = tempfile.TemporaryDirectory()
        attempts = Attempts(Path(folder.name))
        def refused():
            ended = attempts.try_start("true")
            assert isinstance(ended, Ended) and ended.end.out_of_resources, ended
            print(ended.end.outcome, ended.end.error)
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, limit[1]))
        refused()
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)
        limit = resource.getrlimit(resource.RLIMIT_NPROC)
        resource.setrlimit(resource.RLIMIT_NPROC, (0, limit[1]))
        refused()
        resource.setrlimit(resource.RLIMIT_NPROC, limit)
        print(attempts.run("echo fine").output.decode())
        """
    )
    assert done.stdout.splitlines() == [
        "spawn_failed no resources for a log: Too many open files (at most 3: see ulimit -n)",
        "spawn_failed no resources to start a process: Resource temporarily unavailable",
        "fine",
        "",
    ], done


# Time-outs and stops


def test_time_out_kills_what_ignores_term_or_left_the_session(any_attempts: Attempts) -> None:
    one, two = nap(), nap()
    since = time.monotonic()
    started = any_attempts.start(
        f"trap '' TERM; setsid {' '.join(one)} & {' '.join(two)}", timeout_ms=200, kill_after_ms=200
    )
    wait_until(lambda: bool(running(*one) and running(*two)))
    end = any_attempts.end_of(started)
    assert (end.outcome, end.signal) == (Outcome.TIMED_OUT, "SIGKILL")
    assert 0.4 <= time.monotonic() - since < 2
    assert running(*one) == running(*two) == []


def test_time_out_of_a_pipe(any_attempts: Attempts) -> None:
    words = nap()
    end = any_attempts.run(f"{' '.join(words)} | cat", timeout_ms=200)
    assert (end.outcome, end.signal) == (Outcome.TIMED_OUT, "SIGTERM")
    assert running(*words) == []


def test_the_shortest_time_out_is_one(any_attempts: Attempts) -> None:
    assert any_attempts.run("sleep 20", timeout_ms=1).outcome is Outcome.TIMED_OUT


def test_no_time_out(attempts: Attempts) -> None:
    started = attempts.start("sleep 0.3", timeout_ms="none")
    assert attempts.processes.next_deadline() is not None, "its output is looked at"
    assert attempts.end_of(started).outcome is Outcome.SUCCEEDED


def test_an_orderly_exit_after_term_is_still_a_time_out(any_attempts: Attempts) -> None:
    end = any_attempts.run("trap 'echo cleaned up; exit 0' TERM; sleep 20 & wait", timeout_ms=200)
    assert (end.outcome, end.exit_code, end.output) == (Outcome.TIMED_OUT, 0, b"cleaned up\n")


def test_a_stopped_child_still_times_out(attempts: Attempts) -> None:
    started = attempts.start("exec sleep 20", timeout_ms=200, kill_after_ms=100)
    os.kill(started.pid, signal.SIGSTOP)
    assert attempts.end_of(started).outcome is Outcome.TIMED_OUT


def test_survivors_of_a_stop_have_the_rest_of_kill_after(any_attempts: Attempts) -> None:
    """A shell dies of SIGTERM at once; its child may be cleaning up."""
    nap = (
        "sh -c 'touch ready; exec sleep 20'"  # ready when it has a SIGTERM of its own: not the trap's, forked
    )
    child = f"trap 'sleep 0.3; echo cleaned up >> done; exit' TERM; {nap} & wait"
    started = any_attempts.start(f'sh -c "{child}" & wait', kill_after_ms=10_000)
    wait_until((any_attempts.cwd / "ready").exists)
    since = time.monotonic()
    any_attempts.processes.stop(started.key, Outcome.CANCELLED, now_ms())
    end = any_attempts.end_of(started)
    assert (end.outcome, end.signal) == (Outcome.CANCELLED, "SIGTERM")
    assert (any_attempts.cwd / "done").read_text() == "cleaned up\n"
    assert time.monotonic() - since < 5, "it ends with the last process, not with kill_after"


def test_the_first_reason_wins(any_attempts: Attempts) -> None:
    started = any_attempts.start("exec sleep 20")
    any_attempts.processes.stop(started.key, Outcome.CANCELLED, now_ms())
    any_attempts.processes.stop(started.key, Outcome.INTERRUPTED, now_ms())
    any_attempts.processes.kill_all(Outcome.INTERRUPTED)
    assert any_attempts.end_of(started).outcome is Outcome.CANCELLED
    any_attempts.processes.stop(started.key, Outcome.CANCELLED, now_ms())
    assert any_attempts.processes.tick(now_ms()) == []


def test_a_stop_after_the_end_changes_nothing(any_attempts: Attempts) -> None:
    started = any_attempts.start("exit 5", timeout_ms=1)
    os.waitid(os.P_PID, started.pid, os.WEXITED | os.WNOWAIT)
    any_attempts.processes.stop(started.key, Outcome.CANCELLED, now_ms())
    end = any_attempts.end_of(started)
    assert (end.outcome, end.exit_code) == (Outcome.FAILED, 5)


def test_kill_all(any_attempts: Attempts) -> None:
    words = nap()
    both = [any_attempts.start(f"trap '' TERM; setsid {' '.join(words)} & wait") for _ in range(2)]
    wait_until(lambda: len(running(*words)) == 2)
    any_attempts.processes.kill_all(Outcome.INTERRUPTED)
    for started in both:
        end = any_attempts.end_of(started, within=3)
        assert (end.outcome, end.signal) == (Outcome.INTERRUPTED, "SIGKILL")
    assert running(*words) == []


def test_deadlines_come_before_their_time(attempts: Attempts) -> None:
    assert attempts.processes.next_deadline() is None
    now = now_ms()
    launch = attempts.launch("sleep 20", timeout_ms=30, kill_after_ms=7)
    started = attempts.processes.start(launch, now)
    assert isinstance(started, Started)
    assert attempts.processes.next_deadline() == now + 30
    attempts.processes.tick(now + 29)
    assert attempts.processes.next_deadline() == now + 30
    attempts.processes.stop(started.key, Outcome.CANCELLED, now + 10)
    assert attempts.processes.next_deadline() == now + 17
    attempts.end_of(started)
    assert attempts.processes.next_deadline() is None


# What outlives the main process


@pytest.mark.parametrize("how", ["{}", "setsid {}", "(setsid {} &)", "env -i setsid {}"])
def test_nothing_outlives_a_normal_end(any_attempts: Attempts, how: str) -> None:
    words = nap()
    end = any_attempts.run(f"{how.format(' '.join(words))} & sleep 0.1; echo done; exit 3")
    assert (end.outcome, end.exit_code, end.output) == (Outcome.FAILED, 3, b"done\n")
    if how.startswith("env -i") and not any_attempts.adopts:
        for pid in running(*words):  # without adoption nothing is left to know it by
            os.kill(pid, signal.SIGKILL)
        return
    assert end.error == "left 1 process behind; killed"
    assert running(*words) == []


def test_a_double_fork_dies_with_a_time_out(any_attempts: Attempts) -> None:
    words = nap()
    started = any_attempts.start(f"(setsid {' '.join(words)} &) ; sleep 20", timeout_ms=300)
    wait_until(lambda: len(running(*words)) == 1)
    assert any_attempts.end_of(started).outcome is Outcome.TIMED_OUT
    assert running(*words) == []


def test_stragglers_may_end_by_themselves(any_attempts: Attempts, monkeypatch: pytest.MonkeyPatch) -> None:
    """`exec > >(tee …)`: the shell doesn't wait for tee, which has the last lines."""
    monkeypatch.setattr("queuectl.engine.processes.DRAIN_MS", 20_000)  # however slow this machine is
    end = any_attempts.run("(sleep 0.05; echo the last line) & exit 0")
    assert (end.outcome, end.error, end.output) == (Outcome.SUCCEEDED, None, b"the last line\n")


def test_an_attempt_takes_nothing_of_its_neighbours(any_attempts: Attempts) -> None:
    words = nap()
    neighbour = any_attempts.start(
        f"(setsid {' '.join(words)} &); (env -i setsid {' '.join(words)} &); sleep 20"
    )
    wait_until(lambda: len(running(*words)) == 2)
    mine = nap()
    assert any_attempts.run(f"setsid {' '.join(mine)} & sleep 0.05").error == "left 1 process behind; killed"
    assert len(running(*words)) == 2
    assert running(*mine) == []
    any_attempts.processes.kill_all(Outcome.INTERRUPTED)
    any_attempts.end_of(neighbour)
    if any_attempts.adopts:
        assert running(*words) == []
    for pid in running(*words):
        os.kill(pid, signal.SIGKILL)


def test_a_stray_goes_with_the_last_attempt_that_it_may_be_of(attempts: Attempts) -> None:
    words = nap()
    until = "while [ ! -e {} ]; do sleep 0.01; done"
    short = attempts.start(until.format("end"))
    bare = f"(env -i PATH=$PATH setsid {' '.join(words)} &)"
    long = attempts.start(f"{until.format('go')}; {bare}; sleep 20")
    (attempts.cwd / "go").touch()
    wait_until(lambda: len(running(*words)) == 1)
    (attempts.cwd / "end").touch()
    assert attempts.end_of(short).error is None
    assert len(running(*words)) == 1
    attempts.processes.kill_all(Outcome.INTERRUPTED)
    attempts.end_of(long)
    assert running(*words) == []


def test_children_of_the_worker_itself_are_left_alone(any_attempts: Attempts) -> None:
    with subprocess.Popen(["sleep", "20"]) as helper:
        any_attempts.run("setsid sleep 20 & exit 0")
        assert helper.poll() is None
        helper.kill()
        any_attempts.tick()
        assert helper.wait() == -signal.SIGKILL, "its exit status is its own"


def test_many_quick_attempts_leave_nothing(attempts: Attempts) -> None:
    for started in [attempts.start("true") for _ in range(4)]:
        attempts.end_of(started)
    me = psutil.Process()
    before, others = me.num_fds(), me.children()
    for _ in range(75):
        batch = [attempts.start("true") for _ in range(4)]
        for started in batch:
            assert attempts.end_of(started).outcome is Outcome.SUCCEEDED
    assert me.num_fds() == before
    assert me.children() == others
    attempts.processes.close()
    assert list(attempts.logs.iterdir()) == []


def test_logs_are_private_and_their_folder_comes_back(attempts: Attempts) -> None:
    before = os.umask(0)
    try:
        command = f"stat -c %a {attempts.logs} {attempts.logs}/*.log"
        assert attempts.run(command).output == b"700\n600\n"
        shutil.rmtree(attempts.logs)
        assert attempts.run(command).output == b"700\n600\n"
    finally:
        os.umask(before)
    assert stat.S_IMODE(attempts.logs.stat().st_mode) == 0o700


def test_a_relative_log_folder_stays_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    attempts = Attempts(Path("logs"), own_process=True)
    monkeypatch.chdir("/")
    attempts.cwd = tmp_path
    attempts.run("true")
    assert (tmp_path / "logs" / "logs").is_dir()
