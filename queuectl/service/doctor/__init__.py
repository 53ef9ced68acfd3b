"""Doctor: is everything well with a queue, its workers and the machine? It only looks; one check a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

from msgspec.structs import replace

from queuectl.model.config import Config
from queuectl.model.errors import QueuectlError
from queuectl.service.context import Context, queue_path, wall_clock, whoami
from queuectl.service.doctor import (
    clock,
    configuration,
    content,
    files,
    outputs,
    place,
    queue_file,
    sources,
    sqlite,
    workers,
    zones,
)
from queuectl.service.doctor.finding import Finding, problem, warning
from queuectl.store.store import Store

__all__ = ["Finding", "examine"]

Check = Callable[[Context], Iterable[Finding]]

_READ_ALONE = ("integrity", "rows")
"""What reads a queue that nobody uses without a lock, so as to leave no trace."""


def examine(
    db: str | None = None,
    *,
    quick: bool = False,
    environ: Mapping[str, str] | None = None,
    now: Callable[[], int] = wall_clock,
) -> Iterator[Finding]:
    """Yield what is found, check by check; nothing is made or changed, whatever state the queue is in.

    `quick` leaves out what takes long in a large queue. UsageError where no queue is named.
    """
    environ = os.environ if environ is None else environ
    path = queue_path(db, environ)
    there = files.seen(path)
    store, first = queue_file.look(path)
    yield first
    looked_at = Store.empty() if store is None else store
    met: list[str] = []
    looked_at.database.on_damage = lambda error: met.append(str(error))
    try:
        ctx = Context(
            store=looked_at,
            config=Config(),
            path=path,
            exists=store is not None,
            now=now,
            who=whoami(),
            environ=environ,
        )
        config, about_config = configuration.usable(ctx)
        ctx = replace(ctx, config=config)
        for name, check in _checks(there, quick=quick, readable=ctx.exists):
            found = list(_safely(name, check, ctx))
            if name in _READ_ALONE and files.in_use_since(there, path) and any(map(_is_problem, found)):
                text = "the queue came into use while it was looked at, so what was seen may be wrong"
                found = [warning(name, text, "ask again")]
            yield from found
        yield from about_config
        yield from content.damage_met(met, quick=quick)
    finally:
        looked_at.close()


def _checks(there: files.Seen, *, quick: bool, readable: bool) -> Iterator[tuple[str, Check]]:
    if readable:
        yield "integrity", partial(content.integrity, quick=quick)
        if not quick:
            yield "rows", content.rows
    yield "files", partial(files.check, there=there)
    yield "place", place.check
    yield "sqlite", sqlite.check
    if readable:
        yield "workers", workers.check
        yield "outputs", partial(outputs.check, quick=quick)
        yield "sources", sources.check
        yield "clock", clock.check
    yield "zones", zones.check


def _is_problem(finding: Finding) -> bool:
    return finding.status == "problem"


def _safely(name: str, check: Check, ctx: Context) -> Iterator[Finding]:
    try:
        yield from check(ctx)
    except QueuectlError as error:
        advice = queue_file.restoring(ctx.path) if error.exit_code == 5 else "mend that, and ask again"
        yield problem(name, str(error), advice, exit_code=error.exit_code)
    except Exception as error:  # noqa: BLE001  one check that fails hides none of the others
        yield problem(
            name, f"can't be looked at: {type(error).__name__}: {error}", "mend what is said above first"
        )
