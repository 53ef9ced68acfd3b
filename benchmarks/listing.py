"""listing: looking at a queue that has finished a million jobs."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from benchmarks.harness import big_queue
from benchmarks.harness.figure import Figure, at_most
from benchmarks.harness.processes import QUEUECTL, run_or_die, surroundings
from benchmarks.harness.rounds import interleaved
from benchmarks.harness.setting import Setting
from queuectl.queue import Queue

TITLE = "Listing: a queue with a million finished jobs"
_TARGET = at_most(100)


def run(setting: Setting) -> list[Figure]:
    """Measure whole commands, start-up included, and the use cases below them in an open queue."""
    dead = setting.size(10_000, 10)
    with setting.turn() as folder, ExitStack() as stack:
        path = folder / "queue.db"
        setting.say("making a queue with a million finished jobs")
        big_queue.make(path, completed=setting.size(990_000, 1_000), dead=dead)
        env = surroundings(QUEUECTL_DB=str(path))

        def command(*what: str) -> None:
            run_or_die([QUEUECTL, *what], env=env, folder=folder)

        some = setting.size(500_000, 500)
        whole: dict[str, Callable[[], object]] = {
            "status": partial(command, "status"),
            "list": partial(command, "list"),
            "list --state completed": partial(command, "list", "--state", "completed"),
            "dlq list": partial(command, "dlq", "list"),
            f"get {some}": partial(command, "get", str(some)),
        }
        queue = stack.enter_context(Queue(path))
        inside: dict[str, Callable[[], object]] = {
            "Queue.status": queue.status,
            "Queue.list": queue.list,
            "Queue.list(states=[completed])": partial(queue.list, states=["completed"]),
            "Queue.list(states=[dead])": partial(queue.list, states=["dead"]),
            "Queue.get": partial(queue.get, some),
        }
        measured = {name: partial(_milliseconds, call) for name, call in {**whole, **inside}.items()}
        for call in measured.values():
            call()
        found = interleaved(setting, measured, times=setting.size(15, 2)).found
    return [
        *(Figure.of("whole command", name, "ms", found[name], target=_TARGET) for name in whole),
        *(Figure.of("in an open queue", name, "ms", found[name]) for name in inside),
    ]


def _milliseconds(call: Callable[[], object]) -> float:
    before = time.perf_counter()
    call()
    return (time.perf_counter() - before) * 1000
