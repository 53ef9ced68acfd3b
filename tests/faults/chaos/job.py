"""A job of the chaos test, run by itself: `python -I -S job.py KIND NUMBER`.

It enters into the ledger when it starts and how it ends. From start to end it holds a lock that whatever it starts
inherits: two attempts of a job that run at once are told by the kernel.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time
from pathlib import Path

FOREVER_S = 300
KIND, NUMBER = sys.argv[1], int(sys.argv[2])
JOB, ATTEMPT = os.environ["QUEUECTL_JOB_ID"], int(os.environ["QUEUECTL_ATTEMPT"])
LEDGER = Path(os.environ["CHAOS_LEDGER"])


def note(event: str, remark: str = "") -> None:
    """Enter a line into the ledger."""
    started = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
    spec, fire_at = os.environ.get("QUEUECTL_SPEC", ""), os.environ.get("QUEUECTL_FIRE_AT", "")
    fields = (event, JOB, ATTEMPT, os.environ["QUEUECTL_WORKER"], os.getpid(), started, time.monotonic_ns(), KIND,
              NUMBER, spec, fire_at, remark)  # fmt: skip
    line = "\t".join(map(str, fields)) + "\n"
    ledger = os.open(LEDGER, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    fcntl.flock(ledger, fcntl.LOCK_EX)
    os.write(ledger, line.encode())
    os.close(ledger)


def take_lock() -> None:
    """Hold the job's lock as long as anything of this attempt lives."""
    lock = os.open(LEDGER.parent / "locks" / JOB, os.O_RDWR | os.O_CREAT, 0o600)
    os.set_inheritable(lock, True)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        note("overlap", os.pread(lock, 200, 0).decode())
        return
    os.truncate(lock, 0)
    os.pwrite(lock, f"attempt {ATTEMPT}, pid {os.getpid()}".encode(), 0)


def leave_somebody_behind() -> None:
    """Fork twice: a process in a session of its own that holds the lock, and the output, for minutes."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            note("child")
            os.execv("/bin/sleep", ["sleep", str(FOREVER_S)])  # noqa: S606  carries the mark on
        os._exit(0)
    os.wait()


def kill_the_worker() -> None:
    """Kill the parent, if that is a worker of this test: when it has died already, somebody else is the parent."""
    parent = Path(f"/proc/{os.getppid()}")
    try:
        is_worker = b"queuectl" in (parent / "cmdline").read_bytes()
        is_worker = is_worker and os.fsencode(f"CHAOS_LEDGER={LEDGER}") in (parent / "environ").read_bytes()
    except OSError:
        return
    if is_worker:
        os.kill(os.getppid(), signal.SIGKILL)


def behave() -> int:
    """Do what the kind of job does; return the exit code."""
    match KIND:
        case "quick":
            time.sleep(NUMBER % 20 / 100)
        case "long":
            time.sleep(1 + NUMBER % 20 / 10)
        case "talker":
            print(f"{NUMBER} says what it has to say\n" * 10_000)
        case "flaky":
            return ATTEMPT % 2
        case "snoozer":
            return 75 if ATTEMPT == 1 else 0
        case "doomed" | "fatal":
            return 1 if KIND == "doomed" else 65
        case "leaver":
            leave_somebody_behind()
        case "deserter":
            leave_somebody_behind()
            time.sleep(FOREVER_S)
        case "sleeper":
            time.sleep(FOREVER_S)
        case "stubborn":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(FOREVER_S)
        case "killer":
            kill_the_worker()
            time.sleep(FOREVER_S)
        case _:
            raise ValueError(KIND)
    return 0


if __name__ == "__main__":
    take_lock()
    note("start")
    code = behave()
    note("end", str(code))
    sys.exit(code)
