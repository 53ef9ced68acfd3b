"""What the shell proposes: ids, names and keys from the queue, without ever making one or complaining."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from queuectl.cli.options import open_queue
from queuectl.model.errors import QueuectlError
from queuectl.model.states import JobState

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from queuectl.store.store import Store

NEWEST = 200
"""How many jobs are proposed at most."""


def job_ids(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Propose jobs: ids, keys and specs' names."""
    with suppress(QueuectlError, OSError), context.scope(), open_queue(create=False) as queue:
        jobs = queue.store.jobs.list(limit=NEWEST)
        words = {str(job.id): f"{job.state} {job.spec or job.frozen.command}" for job in jobs}
        words |= {job.key: str(job.state) for job in jobs if job.key}
        words |= dict.fromkeys(_spec_names(queue.store), "newest job of the spec")
        return _matching(words.items(), incomplete)
    return []


def spec_names(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Propose names of specs."""
    with suppress(QueuectlError, OSError), context.scope(), open_queue(create=False) as queue:
        return _matching(((name, "") for name in _spec_names(queue.store)), incomplete)
    return []


def queue_names(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Propose names of queues."""
    with suppress(QueuectlError, OSError), context.scope(), open_queue(create=False) as queue:
        return _matching(((info.name, "") for info in queue.store.queues.list()), incomplete)
    return []


def worker_ids(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Propose ids of workers."""
    with suppress(QueuectlError, OSError), context.scope(), open_queue(create=False) as queue:
        return _matching(
            ((worker.id, f"{worker.host} {worker.pid}") for worker in queue.store.workers.list()), incomplete
        )
    return []


def state_names(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Propose the states of jobs."""
    return _matching(((state.value, "") for state in JobState), incomplete)


def config_keys(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Propose the keys of the configuration."""
    from queuectl.cli.config_keys import KEYS  # noqa: PLC0415

    return _matching(KEYS.items(), incomplete)


def _spec_names(store: Store) -> Iterable[str]:
    return [stored.name for stored in store.specs.list()]


def _matching(words: Iterable[tuple[str, str]], incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem  # noqa: PLC0415  only for the shell

    return [CompletionItem(word, help=help_[:60]) for word, help_ in words if word.startswith(incomplete)]
