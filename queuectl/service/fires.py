"""Fires: the ledger of those that were due, and those that are coming."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

import msgspec

from queuectl.model.config import Config
from queuectl.model.errors import ConflictError
from queuectl.model.fire import Fire, StoredSpec
from queuectl.model.spec import JobSpec, schedule_zone
from queuectl.service.context import Context
from queuectl.service.specs import get_spec


class ComingFire(msgspec.Struct, frozen=True, kw_only=True):
    """A due instant in the future."""

    spec: str
    due_at: int
    """Before jitter."""
    fire_at: int
    """With the spec's jitter."""
    zone: str
    """Name of the time zone of the schedule."""


def ledger(
    ctx: Context,
    spec: str | None = None,
    *,
    since: int | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[Fire]:
    """Return what was due, `before` an instant, and what became of it, newest first.

    UnknownError for a spec that never was.
    """
    if spec is not None and ctx.store.specs.get(spec) is None:
        get_spec(ctx, spec)
    return ctx.store.fires.list(spec=spec, since=since, before=before, limit=limit)


def coming(
    ctx: Context, *, count: int = 1, from_ms: int | None = None, specs: Sequence[str] | None = None
) -> list[ComingFire]:
    """Return the next `count` due instants of each schedule that isn't paused, soonest first.

    From `from_ms` on, else from now, a fire that is due but not made yet among them. `specs`: only these.
    """
    wanted = ctx.store.specs.list() if specs is None else [get_spec(ctx, name) for name in specs]
    return _coming_of(ctx, wanted, count, from_ms)


def soonest(ctx: Context, *, count: int = 1, limit: int = 50) -> list[ComingFire]:
    """Return the same from now on, but only so many, without looking at all specs."""
    wanted = ctx.store.specs.coming(limit)
    while len(wanted) < (
        most := limit + sum(stored.paused for stored in wanted)
    ):  # in the place of paused ones
        before, wanted = len(wanted), ctx.store.specs.coming(most)
        if len(wanted) == before:
            break
    return _coming_of(ctx, wanted, count, None)[:limit]


def _coming_of(
    ctx: Context, wanted: Iterable[StoredSpec], count: int, from_ms: int | None
) -> list[ComingFire]:
    return _sorted(
        fire
        for stored in wanted
        if not stored.paused
        for fire in _coming(stored.spec, ctx.config, stored.created_at, _start(stored, from_ms), count)
    )


def coming_of_files(
    paths: Sequence[Path], config: Config, *, count: int = 1, from_ms: int
) -> list[ComingFire]:
    """Return the same of spec files, as if they were applied at `from_ms`; needs no queue."""
    from queuectl.specs.load import load  # noqa: PLC0415  jsonschema and yaml take 120 ms

    return _sorted(
        fire
        for one in load(paths, default_zone=config.timezone).specs
        if not one.spec.paused
        for fire in _coming(one.spec, config, from_ms, from_ms, count)
    )


def _start(stored: StoredSpec, from_ms: int | None) -> int:
    return from_ms if from_ms is not None else stored.next_due_at or stored.updated_at


def _coming(spec: JobSpec, config: Config, anchor_ms: int, from_ms: int, count: int) -> Iterable[ComingFire]:
    if spec.schedule is None:
        return
    from queuectl.rules.schedule import due_after, jitter_offset  # noqa: PLC0415  only where it is asked for

    zone, name = schedule_zone(spec, config.timezone), spec.name or ""
    offset = jitter_offset(spec.schedule, name)
    try:
        due = due_after(spec.schedule, anchor_ms=anchor_ms, zone=zone, after_ms=from_ms - 1)
    except ValueError as error:  # it could be read when it was applied
        raise ConflictError(f"spec '{name}': {error}") from None
    for due_at in islice(due, count):
        yield ComingFire(spec=name, due_at=due_at, fire_at=due_at + offset, zone=zone)


def _sorted(fires: Iterable[ComingFire]) -> list[ComingFire]:
    return sorted(fires, key=lambda fire: (fire.due_at, fire.spec))
