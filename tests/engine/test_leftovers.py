from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from queuectl.engine.leftovers import _still_theirs, is_alive, kill_leftovers, process_mark
from queuectl.engine.output import running_name
from tests.engine.attempts import wait_until


class Leftovers:
    """Processes of workers that are gone; killed at the end of a test, whatever became of it."""

    def __init__(self) -> None:
        self.worker = str(uuid.uuid4())
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, command: str, worker: str | None = "") -> int:
        """Run a shell command in its own session, with the mark of `worker` (None: without)."""
        env = {name: value for name, value in os.environ.items() if not name.startswith("QUEUECTL_")}
        if worker is not None:
            env |= {"QUEUECTL_WORKER": worker or self.worker}
        process = subprocess.Popen(["sh", "-c", command], env=env, start_new_session=True)
        self._started.append(process)
        return process.pid

    def end(self) -> None:
        for process in self._started:
            for child in _tree(process.pid):
                with contextlib.suppress(psutil.Error):
                    child.kill()
            process.kill()
            process.wait()


def _tree(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


@pytest.fixture
def left() -> Iterator[Leftovers]:
    leftovers = Leftovers()
    yield leftovers
    leftovers.end()


# Marks


def test_a_mark_is_of_one_process(left: Leftovers) -> None:
    mine = process_mark(os.getpid())
    assert mine is not None
    assert process_mark(os.getpid()) == mine
    assert is_alive(os.getpid(), mine)
    before = time.monotonic()
    wait_until(lambda: time.monotonic() - before > 0.02)  # clock ticks of 10 ms
    pid = left.start("exec sleep 60")
    assert process_mark(pid) != mine
    assert not is_alive(pid, mine), "another process with the same pid"


def test_the_dead_are_not_alive() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        mark = process_mark(process.pid)
        assert mark is not None
        assert is_alive(process.pid, mark)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert not is_alive(process.pid, mark), "a zombie"
        process.wait()
        assert not is_alive(process.pid, mark)
        assert process_mark(process.pid) is None


def test_a_boot_ends_all_processes_and_a_container_hides_them() -> None:
    mark = process_mark(os.getpid())
    assert mark is not None
    boot, space, start = mark.split(":")
    assert not is_alive(os.getpid(), f"another-boot:{space}:{start}")
    assert not is_alive(os.getpid(), "")
    assert is_alive(os.getpid(), f"{boot}:4026530000:{start}"), "not to be seen from here: its lease decides"


# Killing


def test_what_carries_the_mark_dies_with_its_tree(left: Leftovers, tmp_path: Path) -> None:
    pid = left.start(f"env -i setsid sh -c 'echo $$ > {tmp_path}/bare; exec sleep 60' & trap '' TERM; wait")
    wait_until(lambda: (tmp_path / "bare").exists() and (tmp_path / "bare").read_text() != "")
    bare = int((tmp_path / "bare").read_text())
    assert kill_leftovers(left.worker, []) == 2
    assert not runs(pid)
    assert not runs(bare)
    assert kill_leftovers(left.worker, []) == 0


def test_a_process_is_known_by_pid_and_mark(left: Leftovers) -> None:
    pid = left.start("sleep 60 & sleep 60", worker=None)
    mark = process_mark(pid)
    assert mark is not None
    wait_until(lambda: len(_tree(pid)) == 2)
    assert kill_leftovers(left.worker, [(pid, mark + "0")]) == 0, "a recycled pid is a stranger"
    assert runs(pid)
    assert kill_leftovers(left.worker, [(pid, mark)]) == 3
    assert not runs(pid)


def test_a_pid_that_is_given_again_while_it_kills_is_a_strangers() -> None:
    mine = process_mark(os.getpid())
    assert mine is not None
    gone = 4_000_000_000
    assert _still_theirs({os.getpid(): mine, os.getppid(): mine, gone: mine}) == {os.getpid(), gone}


def test_a_process_is_known_by_the_file_that_it_writes_to(left: Leftovers, tmp_path: Path) -> None:
    """One without a mark whose worker died before its pid was recorded."""
    file = tmp_path / running_name(left.worker, 3)
    pid = left.start(f"exec env -i sleep 60 >{file}", worker=None)
    stranger = left.start(f"exec env -i sleep 60 >{tmp_path}/other.log", worker=None)
    wait_until(file.exists)
    wait_until(lambda: kill_leftovers(left.worker, []) == 1)
    assert not runs(pid)
    assert runs(stranger)


def test_other_workers_are_left_alone(left: Leftovers) -> None:
    other = left.start("exec sleep 60", worker=str(uuid.uuid4()))
    longer = left.start("exec sleep 60", worker=left.worker + "0")
    mine = left.start("exec sleep 60")
    assert kill_leftovers(left.worker, []) == 1
    assert (runs(other), runs(longer), runs(mine)) == (True, True, False)


def test_neither_itself_nor_its_ancestors(left: Leftovers, tmp_path: Path) -> None:
    """A worker inside of a leftover job: the job's other processes die, it and its own go on."""
    (tmp_path / "inner.py").write_text(
        textwrap.dedent(
            """
            import os, subprocess, sys
            from queuectl.engine.leftovers import kill_leftovers, process_mark
            own = subprocess.Popen(["sleep", "60"])
            killed = kill_leftovers(sys.argv[1], [(os.getppid(), process_mark(os.getppid()))])
            print(killed, own.poll(), flush=True)
            own.kill(); own.wait()
            """
        )
    )
    command = f"sleep 60 & {sys.executable} {tmp_path}/inner.py {left.worker} > {tmp_path}/said; exit 0"
    pid = left.start(command)
    wait_until(lambda: (tmp_path / "said").exists() and (tmp_path / "said").read_text() != "", within=20)
    assert (tmp_path / "said").read_text() == "1 None\n"
    wait_until(lambda: not runs(pid))


def test_one_that_goes_on_forking_is_caught(left: Leftovers) -> None:
    left.start("while :; do setsid sleep 0.01 & sleep 0.002; done")
    wait_until(lambda: kill_leftovers(left.worker, []) > 0)
    assert kill_leftovers(left.worker, []) == 0


def test_one_that_forks_and_ends_while_it_is_looked_for_leaves_nobody(
    left: Leftovers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the list of all processes and the look at it: its child is not in the list."""
    fork = "trap 'setsid sleep 300 & exit' USR1; echo; while :; do sleep 0.01; done"
    env = os.environ | {"QUEUECTL_WORKER": left.worker}
    with subprocess.Popen(
        ["sh", "-c", fork], env=env, stdout=subprocess.PIPE, start_new_session=True
    ) as middle:
        assert middle.stdout is not None
        middle.stdout.readline()
        listed = psutil.pids

        def pids() -> list[int]:
            found = listed()
            if middle.poll() is None:
                middle.send_signal(signal.SIGUSR1)
                middle.wait()
            return found

        monkeypatch.setattr(psutil, "pids", pids)
        assert kill_leftovers(left.worker, []) > 0
    assert kill_leftovers(left.worker, []) == 0
