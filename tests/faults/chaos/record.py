"""What the chaos test has done so far, for the oracle to judge and for people to read."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from threading import Lock
from typing import NamedTuple

GROUPS = frozenset({"worker", "queue", "spec", "dlq"})
"""Commands of two words."""


class Copy(NamedTuple):
    """A backup that was made."""

    path: Path
    jobs: frozenset[int]
    """Acknowledged before it began."""


class Record:
    """Shared by the threads that torment the queue."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.jobs: dict[int, str] = {}
        """The acknowledged ones, with their kind."""
        self.keys: dict[str, set[int]] = {}
        """Which job a key was said to be; there must be but one."""
        self.cancelled: set[int] = set()
        """Jobs that somebody tried to cancel."""
        self.codes: Counter[tuple[str, int]] = Counter()
        """Commands by verb and exit code; -9: killed by the test."""
        self.deeds: Counter[str] = Counter()
        """What was done to workers."""
        self.complaints: list[str] = []
        """What is wrong on the face of it."""
        self.copies: list[Copy] = []

    def ended(self, words: tuple[str, ...], code: int, stderr: str, allowed: frozenset[int]) -> None:
        """Enter how a command ended."""
        verb = " ".join(words[: 2 if words[0] in GROUPS else 1])
        with self.lock:
            self.codes[verb, code] += 1
            if code not in allowed or "Traceback" in stderr or "unexpected" in stderr:
                self.complaints.append(f"{' '.join(words)[:200]}: exit {code}\n{stderr}")

    def complain(self, what: str) -> None:
        """Enter something that is wrong."""
        with self.lock:
            self.complaints.append(what)

    def acknowledged(self, job: int, kind: str, key: str | None = None) -> None:
        """Enter a job that a command said is in the queue."""
        with self.lock:
            self.jobs.setdefault(job, kind)
            if key is not None:
                self.keys.setdefault(key, set()).add(job)

    def some_jobs(self) -> list[int]:
        """Return the acknowledged jobs, in their order."""
        with self.lock:
            return list(self.jobs)

    def counts(self) -> str:
        """Return what was done, in a few lines."""
        verbs: dict[str, list[str]] = {}
        for (verb, code), count in sorted(self.codes.items()):
            verbs.setdefault(verb, []).append(f"{count}" if code == 0 else f"{count} with exit {code}")
        commands = "; ".join(f"{verb}: {', '.join(ends)}" for verb, ends in verbs.items())
        deeds = ", ".join(f"{count} {deed}" for deed, count in sorted(self.deeds.items()))
        return f"to workers: {deeds}\ncommands: {commands}"
