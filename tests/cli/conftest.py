from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from queuectl.cli.main import run


@dataclass(frozen=True, slots=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Cli = Callable[..., Result]


def clean_environment(folder: Path, **more: str) -> dict[str, str]:
    ours = ("QUEUECTL_", "_QUEUECTL", "PYTHONUNBUFFERED", "NO_COLOR")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    fixed = {"QUEUECTL_DB": str(folder / "queue.db"), "COLUMNS": "80", "TZ": "UTC", "HOME": str(folder)}
    return {**kept, **fixed, **more}


def in_process(
    folder: Path, *arguments: str, stdin: str | bytes = b"", **environ: str
) -> subprocess.CompletedProcess:
    """Run a real command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "queuectl", *arguments],
        input=stdin.encode() if isinstance(stdin, str) else stdin,
        env=clean_environment(folder, **environ),
        cwd=folder,
        capture_output=True,
        timeout=30,
        check=False,
    )


def wait_until(reached: Callable[[], Any], what: str, seconds: float = 20) -> Any:
    """Wait for a condition, and give back what it returned."""
    deadline = time.monotonic() + seconds
    while not (found := reached()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)
    return found


@pytest.fixture
def cli(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Result]:
    """Run a command line in this process, on a queue in `tmp_path`; an unexpected error is not caught."""
    for name in [name for name in os.environ if name.startswith("QUEUECTL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("QUEUECTL_DB", str(tmp_path / "queue.db"))
    monkeypatch.setenv("QUEUECTL_DEBUG", "1")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str, stdin: str | bytes = b"") -> Result:
        content = stdin.encode() if isinstance(stdin, str) else stdin
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="utf-8"))
        capsys.readouterr()
        code = run(arguments)
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return call


@pytest.fixture(scope="session")
def _ran_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A queue in which a worker ran: job 1 completed, job 2 (`boom`) dead, job 3 (`later`) scheduled."""
    folder = tmp_path_factory.mktemp("ran")
    command = r"printf 'hello\n\033[2Jfake\rok\n'; echo to stderr >&2"
    _enqueue(folder, command, "--env", "TOKEN=secret", "--key", "hello")
    _enqueue(folder, "echo doomed; exit 3", "--key", "boom", "--max-retries", "0")
    _enqueue(folder, "true", "--key", "later", "--delay", "1000h", "--queue", "mail")
    done = in_process(folder, "worker", "--count", "2", "--until-idle")
    assert done.returncode == 1, done.stderr.decode()
    return folder


def _enqueue(folder: Path, *arguments: str) -> None:
    done = in_process(folder, "enqueue", *arguments)
    assert done.returncode == 0, done.stderr.decode()


@pytest.fixture
def ran(_ran_once: Path, tmp_path: Path) -> Path:
    """The same, for one test to do with as it likes."""
    shutil.copytree(_ran_once, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture
def jobs_d(tmp_path: Path) -> Path:
    """Two specs: `nightly` with a schedule, `once` without."""
    folder = tmp_path / "jobs.d"
    folder.mkdir()
    (folder / "nightly.yaml").write_text(
        'command: echo nightly\nschedule: "0 4 * * *"\ntimezone: Europe/Berlin\n'
    )
    (folder / "once.yaml").write_text("command: echo once\n")
    return folder


def ids(rows: Sequence[dict[str, Any]]) -> list[int]:
    return [row["id"] for row in rows]
