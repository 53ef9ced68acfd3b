"""scale: what it costs to claim and finish a job, with ten million others in the queue."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from benchmarks.harness import big_queue
from benchmarks.harness.figure import Figure, Target, at_most
from benchmarks.harness.processes import QUEUECTL, Missing, run_or_die, surroundings
from benchmarks.harness.rounds import Rounds, interleaved
from benchmarks.harness.setting import Setting
from queuectl.model.job import AttemptEnd, Job
from queuectl.model.states import JobState, Outcome
from queuectl.model.transition import Transition
from queuectl.queue import Queue
from queuectl.store.store import Store

TITLE = "Scale: claim + finish of a job, by what else is in the queue"
_AT_ONCE = 4
_WARM_UP = 40
_MANY = 1_000_000
_BYTES_A_JOB = 1_500
"""What is reserved for it on the disk, while its indexes are built too."""


def run(setting: Setting) -> list[Figure]:
    """Measure the store's own verbs, and a whole run that serves another queue beside the many."""
    contents = _contents(setting)
    missing: dict[str, str] = {}
    verbs: dict[str, Callable[[], float]] = {}
    runs: dict[str, Callable[[], float]] = {}
    with ExitStack() as stack:
        for name, counts in contents.items():
            folder = stack.enter_context(setting.turn())
            setting.say(f"making a queue with {name}")
            try:
                path = _prepared(folder, counts)
            except Missing as reason:
                missing[name] = str(reason)
                continue
            queue = stack.enter_context(Queue(path))
            verbs[name] = partial(_cost, queue.context.store, path, setting.size(400, 20))
            runs[name] = partial(_rate, path, setting.size(1_000, 20))
        costs = interleaved(setting, verbs, times=setting.size(20, 1))
        rates = interleaved(setting, runs)
    for rounds in (costs, rates):
        rounds.missing.update(missing)
    return [
        *_figures("claim + finish, a job", "µs", contents, costs, at_most(1.3, "ratio")),
        *_figures("run, of another queue", "jobs/s", contents, rates, None),
    ]


def _contents(setting: Setting) -> dict[str, dict[str, int]]:
    kilo = setting.size(1_000, 10)
    return {
        "1k pending": {"pending": kilo},
        "100k pending": {"pending": 100 * kilo},
        "1M pending": {"pending": 1_000 * kilo},
        "10M pending": {"pending": min(10_000 * kilo, setting.size(10_000_000, 20_000))},
        "1k, 1M finished": {"pending": kilo, "completed": 1_000 * kilo},
        "1k, 10M finished": {
            "pending": kilo,
            "completed": min(10_000 * kilo, setting.size(10_000_000, 20_000)),
        },
        "1k, 1M for next year": {"pending": kilo, "scheduled": 1_000 * kilo},
    }


def _prepared(folder: Path, counts: Mapping[str, int]) -> Path:
    needed = sum(counts.values()) * _BYTES_A_JOB
    if max(counts.values()) > _MANY and os.environ.get("BENCH_FULL") == "0":
        raise Missing("left out by BENCH_FULL=0")
    if shutil.disk_usage(folder).free < needed:
        raise Missing(f"it needs {needed / 1e9:.0f} GB of free disk")
    path = folder / "queue.db"
    big_queue.make(path, **counts)
    return path


def _cost(store: Store, path: Path, jobs: int) -> float:
    """Return the microseconds that a job takes; leave the queue with as many pending ones as before."""
    big_queue.add_pending(path, _WARM_UP + jobs)
    _work(store, _WARM_UP)
    before = time.perf_counter()
    _work(store, jobs)
    return (time.perf_counter() - before) / jobs * 1e6


def _work(store: Store, jobs: int) -> None:
    """Do what a worker with 4 slots does with the store: finish 4 and claim 4, in one transaction."""
    succeeded = AttemptEnd(outcome=Outcome.SUCCEEDED, exit_code=0)
    completed = Transition(state=JobState.COMPLETED, failures=0, losses=0)
    running: Sequence[Job] = []
    for left in range(jobs, -1, -_AT_ONCE):
        now = time.time_ns() // 1_000_000
        with store.transaction():
            for job in running:
                if not store.jobs.finish(job, succeeded, completed, now=now):
                    raise RuntimeError(f"job {job.id} was not finished")
            if left:
                running = _claim(store, now)


def _claim(store: Store, now: int) -> Sequence[Job]:
    claimed = store.jobs.claim(
        worker="bench", host="here", queues=(), outputs=("",) * _AT_ONCE, idle=False, now=now
    )
    if len(claimed) != _AT_ONCE:
        raise RuntimeError(f"{len(claimed)} of {_AT_ONCE} jobs were claimed")
    return claimed


def _rate(path: Path, jobs: int) -> float:
    """Return how many jobs a second a worker does that serves a queue with few, while the others wait."""
    env = surroundings(QUEUECTL_DB=str(path))
    run_or_die(
        [QUEUECTL, "enqueue", "-", "--queue", "few"], env=env, folder=path.parent, given=b"true\n" * jobs
    )
    before = time.perf_counter()
    run_or_die([QUEUECTL, "run", "--until-idle", "--queue", "few"], env=env, folder=path.parent)
    return jobs / (time.perf_counter() - before)


def _figures(
    what: str, unit: str, names: Iterable[str], rounds: Rounds[float], target: Target | None
) -> Iterator[Figure]:
    base, *_ = rounds.found
    for name in names:
        wanted = None if name == base else target
        if name in rounds.missing:
            yield Figure(name=what, contestant=name, unit=unit, target=wanted, missing=rounds.missing[name])
        else:
            values = rounds.found[name]
            yield Figure.of(what, name, unit, values, base=rounds.found[base], against=base, target=wanted)
