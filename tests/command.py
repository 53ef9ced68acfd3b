"""The command line in real processes, on a queue of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from copy import copy
from pathlib import Path
from typing import Any, TypeVar

from queuectl.store.store import Store

DEADLINE_S = 30.0

T = TypeVar("T")


class Queuectl:
    """The command line, as a user runs it, on the queue `q.db` in a folder."""

    def __init__(self, folder: Path, *, before: Sequence[str] = ()) -> None:
        self.folder = folder
        self.before = before
        """Words in front of the command, such as those of `strace`."""
        self.db = folder / "q.db"
        ours = ("QUEUECTL_", "PYTHONUNBUFFERED")  # without buffers nothing shows what is left in them
        kept = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
        self.env = kept | {
            "HOME": str(folder),
            "XDG_STATE_HOME": str(folder / "state"),
            "QUEUECTL_DB": str(self.db),
            "QUEUECTL_POLL_INTERVAL": "100ms",
            "QUEUECTL_BACKOFF_BASE": "200ms",
            "QUEUECTL_BACKOFF_JITTER": "0",
            "COLUMNS": "120",
        }
        self.deadline_s = DEADLINE_S
        self.started: list[subprocess.Popen[str]] = []

    def under(self, *before: str) -> Queuectl:
        """Return the same with a tool in front of each command."""
        other = copy(self)
        other.before = before
        return other

    def argv(self, *arguments: str) -> list[str]:
        """Return the words that start a command."""
        return [*self.before, sys.executable, "-m", "queuectl", *arguments]

    def __call__(self, *arguments: str, code: int = 0, stdin: str = "", **env: str) -> str:
        """Run a command to its end; return its stdout. Fails when it exits with another code."""
        done = self.run(*arguments, stdin=stdin, **env)
        assert done.returncode == code, f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def run(self, *arguments: str, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            self.argv(*arguments),
            cwd=self.folder,
            env=self.env | env,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=self.deadline_s,
            check=False,
        )

    def json(self, *arguments: str, code: int = 0) -> Any:
        """Run a command with `-o json`; return what it printed."""
        return json.loads(self(*arguments, "-o", "json", code=code))

    def start(self, *arguments: str, group: bool = False, **env: str) -> subprocess.Popen[str]:
        """Start a command; it is killed at the end of the test at the latest. `group`: it leads a process group."""
        with (self.folder / f"run{len(self.started)}.log").open("w") as log:
            process = subprocess.Popen(
                self.argv(*arguments),
                cwd=self.folder,
                env=self.env | env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                text=True,
                process_group=0 if group else None,
            )
        self.started.append(process)
        return process

    def states(self) -> dict[int, str]:
        """Return the state of every job by id."""
        return self.look(lambda store: {job.id: job.state.value for job in store.jobs.list()})

    def look(self, at: Callable[[Store], T]) -> T:
        """Look into the queue without starting a process: for conditions that are asked again and again."""
        store = Store.open(self.db, create=False) or Store.empty()
        try:
            return at(store)
        finally:
            store.close()

    def wait_until(self, condition: Callable[[], Any], what: str) -> Any:
        """Wait for a condition; return what it returned."""
        until = time.monotonic() + self.deadline_s
        while time.monotonic() < until:
            if found := condition():
                return found
            time.sleep(0.05)
        raise AssertionError(f"never came true: {what}")

    def spec(self, name: str, text: str) -> Path:
        """Write `jobs.d/NAME.yaml`."""
        path = self.folder / "jobs.d" / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def end(self) -> None:
        """Kill what was started and still runs."""
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.wait()
