"""celery on Redis: https://docs.celeryq.dev."""

import os
import subprocess
from contextlib import AbstractContextManager, nullcontext

from celery import Celery

from benchmarks.apps.app import Enqueue

app = Celery("benchmarks", broker=os.environ["BENCH_REDIS"])


@app.task(ignore_result=True)
def run(command: str) -> None:
    """Run a shell command."""
    subprocess.run(command, shell=True, check=True)


def enqueuer() -> AbstractContextManager[Enqueue]:
    """Give what enqueues a shell command."""
    return nullcontext(run.delay)
