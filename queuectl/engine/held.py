"""What a worker holds: the attempts that it claimed and whose end is not in the store yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile

import msgspec

from queuectl.engine.launch import Ended, Key
from queuectl.engine.output import running_name
from queuectl.model.job import Job

RECORD_AFTER_MS = 50
"""How long an attempt runs before its process is recorded, which costs a transaction; short ones end before."""


class HeldAttempt(msgspec.Struct):
    """An attempt of this worker."""

    job: Job
    """As it was claimed."""
    output: str
    """Name of the file that it writes to."""
    pid: int = 0

    @property
    def key(self) -> Key:
        """Names the attempt among all others."""
        return self.job.id, self.job.attempt


class Held:
    """The attempts that a worker holds, by their keys. It changes only after a transaction has been committed."""

    def __init__(self, worker: str, slots: int) -> None:
        self.room = slots
        """How many may run at once: all slots, or fewer while the machine can't start more."""
        self._slots = slots
        self._outputs = _outputs(worker, slots)
        self._attempts: dict[Key, HeldAttempt] = {}
        self._unrecorded: dict[Key, int] = {}
        """When the processes that aren't in the store yet are to be, in that order."""
        self.ended: list[Ended] = []
        """What is over, until the store knows."""

    def abandon(self, worker: str) -> None:
        """Let go of all, and go on as another worker; what is over stays to be settled."""
        self._outputs = _outputs(worker, self._slots)
        self._attempts.clear()
        self._unrecorded.clear()

    def __len__(self) -> int:
        return len(self._attempts)

    def __iter__(self) -> Iterator[Key]:
        return iter(list(self._attempts))

    @property
    def full(self) -> bool:
        """No slot is free, or none can be used."""
        return len(self._attempts) >= self.room

    def get(self, key: Key) -> HeldAttempt | None:
        """Return an attempt; None where this worker was fenced off it."""
        return self._attempts.get(key)

    def running(self) -> Sequence[HeldAttempt]:
        """Return those that aren't over."""
        ended = {one.key for one in self.ended}
        return [held for key, held in self._attempts.items() if key not in ended]

    def free_outputs(self) -> Sequence[str]:
        """Return names of files that nothing writes to or is still needed from: one for each free slot."""
        taken = {held.output for held in self._attempts.values()}
        free = [name for name in self._outputs if name not in taken]
        return free[: max(0, self.room - len(self.running()))]

    def take(self, claimed: Iterable[HeldAttempt]) -> None:
        """Hold what was claimed."""
        self._attempts.update((held.key, held) for held in claimed)

    def started(self, key: Key, pid: int, mono: int) -> None:
        """Keep in mind that an attempt runs as a process."""
        self._attempts[key].pid = pid
        self._unrecorded[key] = mono + RECORD_AFTER_MS

    def to_record(self, mono: int) -> Sequence[HeldAttempt]:
        """Return those that have run for a while and whose process is not in the store."""
        ended = {one.key for one in self.ended}
        due = takewhile(lambda one: one[1] <= mono, self._unrecorded.items())
        return [self._attempts[key] for key, _ in due if key not in ended]

    def next_record(self) -> int | None:
        """Return when the next process is to be recorded."""
        return next(iter(self._unrecorded.values()), None)

    def stored(self, recorded: Iterable[HeldAttempt]) -> Sequence[Key]:
        """Forget what the store knows now: which processes run, and all that has ended. Returns the latter."""
        keys = [one.key for one in self.ended]
        for key in keys:
            self._attempts.pop(key, None)
            self._unrecorded.pop(key, None)
        for held in recorded:
            del self._unrecorded[held.key]
        self.ended.clear()
        return keys


def _outputs(worker: str, slots: int) -> Sequence[str]:
    """Two for each slot: what the last attempt wrote is there until its end is stored, with the claim of the next."""
    return [running_name(worker, number) for number in range(2 * slots)]
