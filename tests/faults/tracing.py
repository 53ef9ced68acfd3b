"""`strace` injects what can't be waited for: a kill or an error at the N-th system call of a kind."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from itertools import count

from tests.command import Queuectl
from tests.faults.machine import need_tool

ENOUGH = 400
"""No command of a test makes so many system calls of one kind."""


def injecting(queuectl: Queuectl, call: str, action: str, *, when: str) -> Queuectl:
    """Return the command line with something injected: `action` as strace has it (`error=EIO`, `signal=SIGKILL`)."""
    need_tool("strace")
    words = (
        "strace",
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        f"trace={call}",
        "-e",
        f"inject={call}:{action}:when={when}",
    )
    return queuectl.under(*words, *queuectl.before)


def killed_at_each(
    queuectl: Queuectl, call: str, *arguments: str, stdin: str = ""
) -> Iterator[tuple[int, subprocess.CompletedProcess[str]]]:
    """Run a command again and again, killed at its 1st, 2nd, … system call of a kind, until it ends by itself.

    Yields the number and the command that was killed; at last the one that was not.
    """
    for number in count(1):
        assert number < ENOUGH, f"{arguments} never ended by itself"
        done = injecting(queuectl, call, "signal=SIGKILL", when=str(number)).run(*arguments, stdin=stdin)
        yield number, done
        if done.returncode not in (-9, 137):
            return
