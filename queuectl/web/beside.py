"""A dashboard beside workers: a process of its own that ends with theirs."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Sequence

from queuectl.model.errors import QueuectlError

_STDIN = 0


def start_beside(listener: socket.socket, arguments: Sequence[str]) -> int:
    """Start `queuectl dashboard ARGUMENTS…` on a socket that listens already; it ends when we do, however we end.

    Returns the end of a pipe that it watches: held open as long as this process lives. No child of ours: it is
    nobody's leftover, and no signal to our group is for it.
    """
    watched, held = os.pipe()
    with listener:
        done = subprocess.run(
            [sys.executable, "-m", "queuectl", "dashboard", "--fd", str(listener.fileno()), *arguments],
            stdin=watched,
            pass_fds=[listener.fileno()],
            start_new_session=True,
            check=False,
        )
    os.close(watched)
    if done.returncode:
        raise QueuectlError("the dashboard did not start")
    return held


def step_aside() -> int:
    """Go on as nobody's child; returns the pipe to watch."""
    if os.fork():
        os._exit(0)
    lifeline = os.dup(_STDIN)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, _STDIN)
    os.close(nothing)
    return lifeline
