"""A worker that lives on by itself: a session of its own, and a log file instead of a terminal."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from queuectl.model.errors import QueuectlError
from queuectl.service.context import Context
from queuectl.store.private import make_private_folder

_START_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Detached:
    """A worker in the background."""

    pid: int
    worker: str | None
    """Its id; None when it has ended already, because there was nothing to do."""
    log_file: Path


def detach(ctx: Context, arguments: Sequence[str], log_file: Path) -> Detached:
    """Start `queuectl ARGUMENTS…` as a daemon, and return when its worker is registered.

    Its log file is appended to (0600). Raises QueuectlError with the log's last line when it fails before that.
    """
    make_private_folder(log_file.parent)
    log = os.open(log_file, os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "queuectl", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
            umask=0o077,
        )
    finally:
        os.close(log)
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        for worker in ctx.store.workers.list():
            if worker.pid == process.pid:
                process.returncode = 0  # it is on its own now: not a child that somebody must wait for
                return Detached(pid=process.pid, worker=worker.id, log_file=log_file)
        time.sleep(0.02)
    if process.poll() == 0:
        return Detached(pid=process.pid, worker=None, log_file=log_file)
    if process.poll() is None:
        process.kill()
    raise QueuectlError(f"the worker did not start: {_last_line(log_file)} (see {log_file})")


def _last_line(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return lines[-1] if lines else "it said nothing"
