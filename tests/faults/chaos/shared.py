"""A job that shares its slots: `python -I -S shared.py NAME MILLISECONDS`.

While it runs it holds a lock of its own out of a row of them, the first one that is free: under which one it runs tells
how many run at once. It enters that into the ledger with its start, and then its end. The kernel takes the lock back
when the job ends, however that is.
"""

from __future__ import annotations

import fcntl
import os
import sys
import time
from itertools import count

LEDGER, NAME = os.environ["CHAOS_LEDGER"], sys.argv[1]


def note(event: str, remark: object) -> None:
    """Enter a line into the ledger, in one write."""
    ledger = os.open(LEDGER, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(ledger, f"{event} {NAME} {os.environ['QUEUECTL_ATTEMPT']} {remark}\n".encode())
    os.close(ledger)


def lock(name: str, how: int) -> int:
    """Open a lock file and lock it; BlockingIOError where another job has it."""
    file = os.open(f"{LEDGER}.locks/{name}", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(file, how)
    return file


def how_many() -> int:
    """Take the first free lock; return how many are taken. Nobody else looks for one meanwhile."""
    door = lock("door", fcntl.LOCK_EX)
    for place in count(1):
        try:
            lock(str(place), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        os.close(door)
        return place
    raise AssertionError


if __name__ == "__main__":
    note("start", how_many())
    time.sleep(int(sys.argv[2]) / 1000)
    note("end", 0)
