"""The worker's file descriptors: what a job must not inherit, and what must be there."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path


def ensure_standard_fds() -> None:
    """Open /dev/null as 0, 1 and 2 where they are closed, so that no database or log gets these numbers.

    Call it first of all, before any file is opened.
    """
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != fd:  # a lower number was free: only another thread can have closed it
                os.dup2(opened, fd)
                os.close(opened)
            os.set_inheritable(fd, True)


def close_on_exec_all() -> None:
    """Keep every descriptor from 3 on, also those that the worker was started with, from the jobs."""
    for entry in list(Path("/proc/self/fd" if sys.platform == "linux" else "/dev/fd").iterdir()):
        fd = int(entry.name)
        if fd > 2:
            with contextlib.suppress(OSError):  # that of the listing is closed by now
                os.set_inheritable(fd, False)
