"""procrastinate on PostgreSQL: https://procrastinate.readthedocs.io."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from procrastinate import App, PsycopgConnector

from benchmarks.apps.app import Enqueue

app = App(connector=PsycopgConnector())
"""Which database: libpq's own PGHOST, PGUSER and so on."""


@app.task
def run(command: str) -> None:
    """Run a shell command."""
    subprocess.run(command, shell=True, check=True)


@contextmanager
def enqueuer() -> Iterator[Enqueue]:
    """Give what enqueues a shell command."""
    with app.open():
        yield lambda command: run.defer(command=command)
