"""queuectl, by its Python API."""

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.apps.app import Enqueue
from queuectl.queue import Queue


@contextmanager
def enqueuer() -> Iterator[Enqueue]:
    """Give what enqueues a shell command."""
    with Queue() as queue:
        yield queue.enqueue
