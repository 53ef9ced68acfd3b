"""Workers that live on by themselves: a session of their own, and a log file instead of a terminal."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from queuectl.model.errors import QueuectlError
from queuectl.model.worker import Worker
from queuectl.service.context import Context
from queuectl.store.private import make_private_folder

_START_S = 15.0


class Detached(msgspec.Struct, frozen=True, kw_only=True):
    """Workers in the background."""

    pid: int
    """Of the worker, or of the supervisor where there are several."""
    workers: tuple[str, ...]
    """Their ids; none when they have ended already, because there was nothing to do."""
    log_file: Path


def detach(ctx: Context, arguments: Sequence[str], log_file: Path, *, workers: int = 1) -> Detached:
    """Start `queuectl ARGUMENTS…` as a daemon, and return when its workers are registered.

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
    seen: dict[str, None] = {}
    deadline = time.monotonic() + _START_S
    while len(seen) < workers and time.monotonic() < deadline and process.poll() is None:
        seen |= dict.fromkeys(worker.id for worker in ctx.store.workers.list() if _is_of(process.pid, worker))
        time.sleep(0.02)
    if seen or process.poll() == 0:
        process.returncode = process.returncode or 0  # on its own: not a child that somebody must wait for
        return Detached(pid=process.pid, workers=tuple(seen), log_file=log_file)
    if process.poll() is None:
        process.kill()
    raise QueuectlError(f"the worker did not start: {_last_line(log_file)} (see {log_file})")


def _is_of(session: int, worker: Worker) -> bool:
    """Whether a worker is in the daemon's session: it leads that, or its supervisor does."""
    try:
        return worker.host == os.uname().nodename and os.getsid(worker.pid) == session
    except OSError:
        return False


def _last_line(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return lines[-1] if lines else "it said nothing"
