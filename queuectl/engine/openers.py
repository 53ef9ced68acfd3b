"""Tells whether anything else has a file open."""

from __future__ import annotations

import fcntl
import signal
import sys


def only_ours(fd: int) -> bool:
    """Whether nobody has a file open but through this very opening of it. False where the system can't tell.

    Linux grants a write lease only then. It is given back at once; whoever opens the file in between waits for that.
    """
    if sys.platform != "linux":
        return False
    try:
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)  # should the lease be broken: one that nobody minds
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError:
        return False
    return True
