"""What is done with each system: commands are enqueued, in bulk or one at a time. Standard library only.

python -m benchmarks.apps.driver APP fill                 enqueue each line of stdin; print the seconds it took
python -m benchmarks.apps.driver APP pace COUNT STAMP     enqueue a job when the one before has started, COUNT times;
                                                          print the milliseconds from each call of `enqueue` to the
                                                          job's first instruction
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from benchmarks.harness.stamps import Stamps

_GAP_S = (0.05, 0.15)
"""Between two jobs: the worker is idle again when the next one comes."""
_WARM_UP = 3
_START_S = 60
_JOB_S = 30


def main(app: str, *what: str) -> None:
    """Do what the command line says with an app: a module here whose `enqueuer` gives a function."""
    with import_module(f"benchmarks.apps.{app}").enqueuer() as enqueue:
        match what:
            case ["fill"]:
                _fill(enqueue)
            case ["pace", count, stamp]:
                _pace(enqueue, int(count), stamp)
            case _:
                sys.exit(__doc__)


def _fill(enqueue: Callable[[str], object]) -> None:
    commands = sys.stdin.read().splitlines()
    before = time.perf_counter()
    for command in commands:
        enqueue(command)
    print(time.perf_counter() - before)


def _pace(enqueue: Callable[[str], object], count: int, stamp: str) -> None:
    gaps = random.Random(count)
    with Stamps(Path.cwd()) as stamps:
        for number in range(-_WARM_UP, count):
            time.sleep(gaps.uniform(*_GAP_S))
            called = time.time_ns()
            enqueue(f"{stamp} {stamps.path}")
            waited = stamps.next(_JOB_S if number >= 0 else _START_S) - called
            if number >= 0:
                print(waited / 1e6)


if __name__ == "__main__":
    main(*sys.argv[1:])
