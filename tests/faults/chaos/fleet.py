"""The workers of the chaos test, and what is done to them."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

from tests.command import Queuectl
from tests.faults.chaos.record import Record

PLACES = (
    ("worker", "start", "--slots", "3"),
    ("worker", "start", "--slots", "2", "--queue", "default"),
    ("run", "--slots", "4"),
    ("run", "jobs.d", "--watch", "--slots", "2", "--processes", "2"),
)
CODES = frozenset({0, 1, 4, 130, -signal.SIGKILL})
"""How a worker may end."""


class Worker:
    """A worker that was started, or a supervisor with its workers."""

    def __init__(self, queuectl: Queuectl, words: tuple[str, ...]) -> None:
        self.words = words
        self.log = queuectl.folder / f"run{len(queuectl.started)}.log"
        self.process: subprocess.Popen[str] = queuectl.start(*words)

    @property
    def runs(self) -> bool:
        return self.process.poll() is None

    @property
    def ready(self) -> bool:
        """It has begun to work, so that it hears signals."""
        return "worker started" in self.log.read_text()

    def some_process(self, chance: random.Random) -> int:
        """Return one of the processes that work here: of a supervisor's, mostly one of its workers."""
        own = self.process.pid
        workers = children(own) if "--processes" in self.words else []
        return chance.choice([own, *workers, *workers]) if workers else own


class Fleet:
    """Some places, each with a worker most of the time. Used by one thread."""

    def __init__(self, queuectl: Queuectl, record: Record, chance: random.Random, *, lease_s: float) -> None:
        self._queuectl = queuectl
        self._record = record
        self._chance = chance
        self._lease_s = lease_s
        self._workers: list[Worker | None] = [None] * len(PLACES)
        self._frozen: list[tuple[float, list[int]]] = []
        """Until when these processes are stopped."""

    def torment(self) -> None:
        """Do something to the workers; wait a while."""
        self._fill()
        workers = [worker for worker in self._workers if worker is not None]
        deeds = {
            self._kill: 6,
            self._freeze_for_a_moment: 3,
            self._freeze_past_the_lease: 3,
            self._stop: 3,
            self._stop_at_once: 2,
            self._freeze_the_machine: 0.3,
        }
        if workers:
            self._chance.choices(list(deeds), list(deeds.values()))[0](self._chance.choice(workers))
        until = time.monotonic() + self._chance.uniform(0.1, 0.6) * self._lease_s
        while (left := until - time.monotonic()) > 0:
            self._thaw(time.monotonic())
            time.sleep(min(left, 0.05))

    def end(self) -> None:
        """Thaw all, and kill every other worker; the rest is asked to stop at once."""
        self._thaw(float("inf"))
        for number, worker in enumerate(self._workers):
            if worker is None or not worker.runs:
                continue
            if number % 2 or not self._terminate(worker, 2):
                worker.process.kill()
        for worker in self._workers:
            if worker is not None:
                worker.process.wait(self._queuectl.deadline_s)
                self._bury(worker)

    def _fill(self) -> None:
        for number, worker in enumerate(self._workers):
            if worker is not None and not worker.runs:
                self._workers[number] = None
                self._bury(worker)
            if self._workers[number] is None and self._chance.random() < 0.7:
                self._workers[number] = Worker(self._queuectl, PLACES[number])
                self._record.deeds["started"] += 1

    def _bury(self, worker: Worker) -> None:
        self._record.ended(worker.words, worker.process.returncode, worker.log.read_text(), CODES)

    def _kill(self, worker: Worker) -> None:
        self._signal([worker.some_process(self._chance)], signal.SIGKILL)
        self._record.deeds["killed"] += 1

    def _stop(self, worker: Worker) -> None:
        if self._terminate(worker, 1):
            self._record.deeds["stopped gracefully"] += 1

    def _stop_at_once(self, worker: Worker) -> None:
        if self._terminate(worker, 2):
            self._record.deeds["stopped at once"] += 1

    def _terminate(self, worker: Worker, times: int) -> bool:
        """Send SIGTERM so often, if the worker has begun to listen."""
        if not worker.ready:
            return False
        for _ in range(times):
            self._signal([worker.process.pid], signal.SIGTERM)
            time.sleep(self._chance.uniform(0.0, 0.1))
        return True

    def _freeze_for_a_moment(self, worker: Worker) -> None:
        self._freeze([worker.some_process(self._chance)], self._chance.uniform(0.05, 0.5))
        self._record.deeds["frozen for a moment"] += 1

    def _freeze_past_the_lease(self, worker: Worker) -> None:
        """Stop a worker, sometimes with all that it runs, until others must have held it for dead."""
        processes = [worker.some_process(self._chance)]
        if self._chance.random() < 0.3:
            processes += descendants(processes[0])
        self._freeze(processes, self._chance.uniform(1.5, 2.5))
        self._record.deeds["frozen past the lease"] += 1

    def _freeze_the_machine(self, _: Worker) -> None:
        """Stop all workers and all that they run, as a laptop does that is closed."""
        workers = [worker.process.pid for worker in self._workers if worker is not None]
        processes = [pid for worker in workers for pid in (worker, *descendants(worker))]
        self._freeze(processes, self._chance.uniform(1.1, 1.5))
        self._record.deeds["all frozen"] += 1

    def _freeze(self, processes: list[int], leases: float) -> None:
        self._signal(processes, signal.SIGSTOP)
        self._frozen.append((time.monotonic() + leases * self._lease_s, processes))

    def _thaw(self, now: float) -> None:
        due = [processes for until, processes in self._frozen if until <= now]
        self._frozen = [one for one in self._frozen if one[0] > now]
        for processes in due:
            self._signal(processes, signal.SIGCONT)

    def _signal(self, processes: Iterable[int], number: signal.Signals) -> None:
        """Signal processes of this test; what has ended, and a stranger with its pid, is left alone."""
        for pid in processes:
            with suppress(ProcessLookupError):
                if is_ours(pid, self._queuectl):
                    os.kill(pid, number)


def is_ours(pid: int, queuectl: Queuectl) -> bool:
    """Tell whether a process has the mark of this test, which its folder is."""
    return _mark(queuectl) in _environment(pid)


def ours(queuectl: Queuectl) -> list[int]:
    """Return every process that has the mark of this test."""
    return [pid for pid in psutil.pids() if is_ours(pid, queuectl)]


def children(pid: int) -> list[int]:
    """Return the children of a process."""
    with suppress(psutil.Error):
        return [child.pid for child in psutil.Process(pid).children()]
    return []


def descendants(pid: int) -> list[int]:
    """Return all that a process has started."""
    with suppress(psutil.Error):
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    return []


def _mark(queuectl: Queuectl) -> bytes:
    return os.fsencode(f"CHAOS_LEDGER={queuectl.env['CHAOS_LEDGER']}")


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []
