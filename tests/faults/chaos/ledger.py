"""The ledger of the chaos test: what jobs there are, and what they wrote about themselves."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any, NamedTuple

JOB = Path(__file__).with_name("job.py")

_MANY = 1000
"""Retries of what must succeed in the end, however often its worker dies."""
_KINDS: dict[str, tuple[int, dict[str, Any]]] = {
    "quick": (40, {"max_retries": _MANY}),
    "long": (8, {"max_retries": _MANY}),
    "talker": (4, {"max_retries": _MANY}),
    "flaky": (10, {"max_retries": _MANY}),
    "snoozer": (4, {"max_retries": _MANY, "exit_codes": {"snooze": [75], "snooze_for": "300ms"}}),
    "leaver": (6, {"max_retries": _MANY}),
    "doomed": (6, {"max_retries": 1}),
    "fatal": (4, {"max_retries": _MANY, "exit_codes": {"dead": ["64-78"]}}),
    "sleeper": (4, {"max_retries": 1, "timeout": "400ms"}),
    "stubborn": (3, {"max_retries": 0, "timeout": "300ms"}),
    "deserter": (6, {"max_retries": 1, "timeout": "500ms"}),
    "killer": (1, {"max_retries": 1}),
}
"""How common each kind of job is, and what it is enqueued with."""
SUCCEEDING = frozenset({"quick", "long", "talker", "flaky", "snoozer", "leaver"})
"""The kinds that complete unless somebody cancels them."""


def command_of(kind: str, number: int) -> list[str]:
    """Return the words that run a job."""
    return [sys.executable, "-I", "-S", str(JOB), kind, str(number)]


def some_job(chance: random.Random) -> dict[str, Any]:
    """Return a job as `enqueue` takes it."""
    kind = chance.choices(list(_KINDS), [weight for weight, _ in _KINDS.values()])[0]
    return {"command": command_of(kind, chance.randrange(10_000)), **_KINDS[kind][1]}


def kind_of(job: dict[str, Any]) -> str:
    """Return the kind of a job, as the command line shows or takes it."""
    words = job["command"]
    words = words.split() if isinstance(words, str) else words
    return str(words[words.index(str(JOB)) + 1])


class Line(NamedTuple):
    """A line of the ledger."""

    event: str
    """`start`, `end` (its exit code is the remark), `child`, or `overlap` (the remark says with whom)."""
    job: int
    attempt: int
    worker: str
    pid: int
    started: int
    """When the process started, in ticks since boot: tells it from a later one with the same pid."""
    at: int
    """Monotonic, in ns."""
    kind: str
    number: int
    spec: str
    fire_at: str
    remark: str


def read(path: Path) -> list[Line]:
    """Return the ledger."""
    found = []
    for text in path.read_text().splitlines():
        event, job, attempt, worker, pid, started, at, kind, number, *rest = text.split("\t")
        line = Line(
            event, int(job), int(attempt), worker, int(pid), int(started), int(at), kind, int(number), *rest
        )
        found.append(line)
    return found
