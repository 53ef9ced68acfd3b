"""rq on Redis: https://python-rq.org."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from redis import Redis
from rq import Queue

from benchmarks.apps.app import Enqueue


def run(command: str) -> None:
    """Run a shell command."""
    subprocess.run(command, shell=True, check=True)


@contextmanager
def enqueuer() -> Iterator[Enqueue]:
    """Give what enqueues a shell command."""
    queue = Queue(connection=Redis.from_url(os.environ["BENCH_REDIS"]))
    yield lambda command: queue.enqueue(run, command)
