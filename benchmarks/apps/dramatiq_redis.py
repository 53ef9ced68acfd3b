"""dramatiq on Redis: https://dramatiq.io."""

import os
import subprocess
from contextlib import AbstractContextManager, nullcontext

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from benchmarks.apps.app import Enqueue

dramatiq.set_broker(RedisBroker(url=os.environ["BENCH_REDIS"]))


@dramatiq.actor
def run(command: str) -> None:
    """Run a shell command."""
    subprocess.run(command, shell=True, check=True)


def enqueuer() -> AbstractContextManager[Enqueue]:
    """Give what enqueues a shell command."""
    return nullcontext(run.send)
