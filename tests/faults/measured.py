"""A command with what it cost: a bound on behaviour counts its processor time, so that a busy machine breaks none."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from threading import Timer
from typing import NamedTuple

from tests.command import Queuectl

_RSS_PER_MIB = 1 << (20 if sys.platform == "darwin" else 10)


class Measured(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str
    cpu_s: float
    rss_mib: float


def measured(queuectl: Queuectl, *arguments: str) -> Measured:
    """Run a command to its end; one that hangs is killed at the deadline of the command line."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            queuectl.argv(*arguments),
            cwd=queuectl.folder,
            env=queuectl.env,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            text=True,
        )
        queuectl.started.append(process)
        impatience = Timer(queuectl.deadline_s, process.kill)
        impatience.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        finally:
            impatience.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        return Measured(
            process.returncode,
            out.read().decode(),
            err.read().decode(),
            usage.ru_utime + usage.ru_stime,
            usage.ru_maxrss / _RSS_PER_MIB,
        )
