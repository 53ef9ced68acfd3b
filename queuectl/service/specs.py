"""Specs: list, show, pause, resume, prune by hand, trigger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

import msgspec

from queuectl.engine.firing import fire_spec
from queuectl.engine.flows import grow
from queuectl.model.errors import ConflictError, StoreInvalidError, UnknownError, UsageError
from queuectl.model.fire import StoredSpec
from queuectl.model.job import Job
from queuectl.model.states import WAITING, JobState
from queuectl.rules.identity import digest
from queuectl.rules.limits import check_reason
from queuectl.rules.making import NO_ARGUMENTS, job_of
from queuectl.rules.nearest import did_you_mean
from queuectl.rules.needs import users
from queuectl.rules.params import with_arguments
from queuectl.service.context import Context

NO_LABELS: Mapping[str, str] = {}
MOST_LOOKED_AT = 1_000
"""Specs that are looked at for one page, where no index leads to those that are wanted."""


def list_specs(ctx: Context) -> list[StoredSpec]:
    """Return the specs by name, without the pruned ones."""
    return ctx.store.specs.list()


class SpecPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some specs of a list, by name."""

    specs: Sequence[StoredSpec]
    after: str | None
    """Where the next page begins: behind this name. None: this is the last one."""


def list_page(
    ctx: Context,
    *,
    source: str | None = None,
    labels: Mapping[str, str] = NO_LABELS,
    after: str = "",
    limit: int = 50,
) -> SpecPage:
    """Return some specs by name, without the pruned ones, from the one behind `after` on.

    With a source or labels no more than MOST_LOOKED_AT are looked at, so that a page may be short and not the last.
    """
    some = source is not None or bool(labels)
    most = MOST_LOOKED_AT if some else limit + 1
    looked_at = ctx.store.specs.after(after, limit=most)
    found = [
        one for one in looked_at if source in {None, one.source} and labels.items() <= one.spec.labels.items()
    ]
    if len(found) > limit:
        return SpecPage(specs=found[:limit], after=found[limit - 1].name)
    return SpecPage(specs=found, after=looked_at[-1].name if len(looked_at) == most and some else None)


def find_spec(ctx: Context, name: str) -> StoredSpec:
    """Return a spec, also a damaged one. UnknownError names the nearest one; a pruned spec isn't there."""
    stored = ctx.store.specs.get(name)
    return _unknown(ctx, name, stored) if stored is None or stored.pruned_at is not None else stored


def get_spec(ctx: Context, name: str) -> StoredSpec:
    """Return a spec as `find_spec` does. StoreInvalidError where it is damaged."""
    stored = find_spec(ctx, name)
    if stored.damage:
        raise StoreInvalidError(stored.damage)
    return stored


def pause(ctx: Context, name: str, *, reason: str | None = None) -> StoredSpec:
    """Running → paused by hand: its schedule makes no jobs, whatever is applied, until it is resumed.

    What came due before is fired first. `reason` is for people. ConflictError for a spec without a schedule.
    UsageError for a reason that is too long.
    """
    try:
        check_reason(reason)
    except ValueError as error:
        raise UsageError(str(error)) from None
    with ctx.store.transaction():
        stored = get_spec(ctx, name)
        if stored.spec.schedule is None:
            raise ConflictError(
                f"spec '{name}' has no schedule to pause; `queuectl cancel {name}` cancels its job,"
                f" `paused: true` in its file keeps it from running"
            )
        now = ctx.now()
        settle(ctx, stored, now=now)
        ctx.store.specs.pause(name, who=ctx.who, reason=reason or None, now=now)
        return get_spec(ctx, name)


def resume(ctx: Context, name: str) -> StoredSpec:
    """Paused by hand → running; what it would have made meanwhile is recorded and not caught up.

    ConflictError for a spec that its file pauses.
    """
    with ctx.store.transaction():
        stored = get_spec(ctx, name)
        if stored.spec.paused:
            raise ConflictError(
                f"spec '{name}' is paused in its file, {stored.file}: take `paused: true` out there and apply it"
            )
        if stored.paused_at is not None:
            settle(ctx, stored, now=ctx.now())
            ctx.store.specs.resume(name)
        return get_spec(ctx, name)


def delete(ctx: Context, name: str) -> StoredSpec:
    """Live → pruned, by hand. Its file, where there is one, brings it back with the next apply."""
    with ctx.store.transaction():
        stored = find_spec(ctx, name)
        if by := users(name, {one.name: one.spec for one in ctx.store.specs.list()}):
            raise ConflictError(f"spec '{name}' is needed by {', '.join(map(repr, by))}; delete that first")
        prune(ctx, stored, now=ctx.now())
    return stored


def trigger(
    ctx: Context, names: Iterable[str], *, arguments: Mapping[str, Any] = NO_ARGUMENTS, at: int | None = None
) -> list[Job]:
    """Make a job of each spec now, besides its schedule and even when it is paused; all or none.

    `arguments` are values of their parameters; `at` is an instant to start at. UsageError for wrong values.
    """
    names = list(dict.fromkeys(names))
    for name in names:  # before the queue is locked: a pattern may take its time over a value
        check_arguments(get_spec(ctx, name), arguments)
    with ctx.store.transaction():
        return [_trigger(ctx, get_spec(ctx, name), arguments, at) for name in names]


def check_arguments(stored: StoredSpec, arguments: Mapping[str, Any]) -> None:
    """Raise UsageError for values that the parameters of a spec can't have."""
    try:
        with_arguments(stored.spec, arguments)
    except ValueError as error:
        raise UsageError(f"spec '{stored.name}': {error}") from None


def settle(ctx: Context, stored: StoredSpec, *, now: int) -> None:
    """Fire, or record as paused, what has come due for the spec as it is, before it is changed.

    Inside the caller's transaction.
    """
    if stored.pruned_at is None:
        fire_spec(ctx.store, ctx.config, stored, now=now)


def prune(ctx: Context, stored: StoredSpec, *, now: int) -> Sequence[Job]:
    """Live → pruned: its waiting jobs are cancelled, running ones finish. Returns the cancelled jobs.

    Inside the caller's transaction.
    """
    store = ctx.store
    store.specs.prune(stored.name, now=now)
    store.specs.resume(stored.name)  # a pause by hand ends with it
    waiting = [job for job in store.jobs.open_of_spec(stored.name) if job.state in WAITING]
    cancelled = [store.jobs.cancel(job.id, reason="its spec was pruned", now=now) for job in waiting]
    if stored.last_job_id in {job.id for job in waiting}:
        store.specs.forget_done(stored.name)
    return [job for job in cancelled if job is not None]


def _trigger(ctx: Context, stored: StoredSpec, arguments: Mapping[str, Any], at: int | None) -> Job:
    now = ctx.now()
    run_at = max(now, at or now)
    try:
        new = job_of(
            stored.spec,
            ctx.config,
            version=stored.version,
            state=JobState.SCHEDULED if run_at > now else JobState.PENDING,
            run_at=run_at,
            reason=f"triggered by {ctx.who}",
            arguments=arguments,
        )
    except ValueError as error:
        raise UsageError(f"spec '{stored.name}': {error}") from None
    job = ctx.store.jobs.enqueue(new, now=now)
    if job is None:
        raise ConflictError(f"spec '{stored.name}': its job was not made")
    grow(ctx.store, ctx.config, [(stored.name, job.id)], now=now)
    if stored.spec.schedule is None:
        ctx.store.specs.mark_done(stored.name, digest=digest(stored.spec), job_id=job.id)
    return job


def _unknown(ctx: Context, name: str, pruned: StoredSpec | None) -> NoReturn:
    if pruned is not None:
        raise UnknownError(f"spec '{name}' was pruned; apply its file to bring it back")
    near = did_you_mean(name, ctx.store.specs.names())
    raise UnknownError(f"there is no spec '{name}'{near}")
