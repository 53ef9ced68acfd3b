"""Workers that are killed at random, each followed by another one, until all jobs are over."""

from __future__ import annotations

import random
import signal
import subprocess
import time

from queuectl.model.states import FINAL
from tests.command import Queuectl


class Crew:
    """So many workers, with so many slots each. Used by one thread."""

    def __init__(
        self,
        queuectl: Queuectl,
        *,
        workers: int,
        slots: int,
        chance: random.Random,
        kill_every_s: tuple[float, float] | None,
    ) -> None:
        """`kill_every_s`: the shortest and the longest time between two kills; None: nobody is killed."""
        self.killed = 0
        self._queuectl = queuectl
        self._chance = chance
        self._kill_every_s = kill_every_s
        self._words = ("worker", "start", "--slots", str(slots))
        self._workers = [self._start() for _ in range(workers)]

    def work(self) -> float:
        """Wait until all jobs are over; return how many seconds that took. Fails where they get no further."""
        begun = progress = time.monotonic()
        kill_at = self._next_kill(begun)
        least = self._unfinished()
        while least:
            time.sleep(0.05)
            now = time.monotonic()
            if now >= kill_at:
                self._kill()
                kill_at = self._next_kill(now)
            if (left := self._unfinished()) < least:
                least, progress = left, now
            assert now < progress + self._queuectl.deadline_s, f"no further: {self._states()}"
        took = time.monotonic() - begun
        self._dismiss()
        return took

    def _start(self) -> subprocess.Popen[str]:
        return self._queuectl.start(*self._words)

    def _kill(self) -> None:
        place = self._chance.randrange(len(self._workers))
        assert self._workers[place].poll() is None, "a worker has ended by itself"
        self._workers[place].kill()
        self._workers[place].wait()
        self._workers[place] = self._start()
        self.killed += 1

    def _dismiss(self) -> None:
        """Ask the workers to stop; they say nothing of an error."""
        for worker in self._workers:
            worker.terminate()
        codes = {worker.wait(self._queuectl.deadline_s) for worker in self._workers}
        said = "".join(log.read_text() for log in self._queuectl.folder.glob("run*.log"))
        assert "Traceback" not in said, said[said.index("Traceback") :][:2000]
        assert codes <= {0, -signal.SIGTERM, 128 + signal.SIGTERM}, codes  # not 0 before it has begun to work

    def _next_kill(self, now: float) -> float:
        return now + self._chance.uniform(*self._kill_every_s) if self._kill_every_s else float("inf")

    def _unfinished(self) -> int:
        return sum(count for state, count in self._states().items() if state not in FINAL)

    def _states(self) -> dict[str, int]:
        counts = self._queuectl.look(lambda store: store.jobs.counts())
        return {state.value: count for state, count in counts.items() if count}
