"""huey on SQLite: https://huey.readthedocs.io."""

import os
import subprocess
from contextlib import AbstractContextManager, nullcontext

from huey import SqliteHuey

from benchmarks.apps.app import Enqueue

huey = SqliteHuey(filename=os.environ["BENCH_DATABASE"])


@huey.task()
def run(command: str) -> None:
    """Run a shell command."""
    subprocess.run(command, shell=True, check=True)


def enqueuer() -> AbstractContextManager[Enqueue]:
    """Give what enqueues a shell command."""
    return nullcontext(run)
