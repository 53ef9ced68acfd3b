"""Backfill: run a schedule for instants of the past."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise, takewhile
from typing import Any

import msgspec

from queuectl.engine.flows import grow
from queuectl.model.errors import ConflictError, UsageError
from queuectl.model.fire import Fire, StoredSpec
from queuectl.model.job import NewJob
from queuectl.model.spec import Schedule, schedule_zone
from queuectl.model.states import BlockedBy, FireOutcome, JobState, Overlap
from queuectl.rules.instants import format_instant
from queuectl.rules.making import NO_ARGUMENTS, job_of
from queuectl.service.context import Context
from queuectl.service.specs import check_arguments, get_spec

MOST = 10_000
"""Instants of one backfill."""
_RAN = frozenset({FireOutcome.FIRED, FireOutcome.CAUGHT_UP})


class Backfill(msgspec.Struct, frozen=True, kw_only=True):
    """What a backfill makes, or would make."""

    spec: str
    due: Sequence[int]
    """The instants that get a job."""
    ran: Sequence[int]
    """Those that have had one."""
    job_ids: Sequence[int] = ()
    """In the order of `due`; none of a dry run."""


def backfill(
    ctx: Context,
    name: str,
    *,
    start: int,
    end: int,
    spacing_ms: int = 0,
    again: bool = False,
    dry_run: bool = False,
    arguments: Mapping[str, Any] = NO_ARGUMENTS,
) -> Backfill:
    """Make a job for each due instant of a spec from `start` to before `end`, and enter it in the ledger.

    Instants that have had a job are left out, unless `again`. The jobs follow each other, `spacing_ms` apart at
    least; with `overlap: allow` they don't wait for each other. ConflictError for a spec without a schedule or with
    nothing due then; UsageError for wrong arguments, a future, or more than 10,000 instants.
    """
    now = ctx.now()
    if end > now or start >= end:
        raise UsageError("expected a time in the past, from an earlier instant to a later one")
    if (asked := get_spec(ctx, name)).spec.schedule is not None:
        check_arguments(asked, arguments)
    with ctx.store.transaction():
        stored = get_spec(ctx, name)
        if stored.spec.schedule is None:
            raise ConflictError(f"spec '{name}' has no schedule, so nothing of it was due")
        due = _due(ctx, stored, stored.spec.schedule, start, end)
        ran = {fire.due_at for fire in _ledger(ctx, name, start, end) if fire.outcome in _RAN and fire.job_id}
        wanted = [at for at in due if again or at not in ran]
        found = Backfill(spec=name, due=wanted, ran=[at for at in due if at in ran])
        if dry_run or not wanted:
            return found
        try:
            news = list(
                _jobs(ctx, stored, stored.spec.schedule, wanted, spacing_ms=spacing_ms, arguments=arguments)
            )
        except ValueError as error:
            raise UsageError(f"spec '{name}': {error}") from None
        made = ctx.store.specs.make_jobs(news, now=now)
        ids = [made[name, at] for at in wanted]
        following = dict(pairwise([*due, end]))
        for at, job_id in zip(wanted, ids, strict=True):
            ctx.store.fires.overwrite(
                Fire(
                    spec=name,
                    due_at=at,
                    outcome=FireOutcome.CAUGHT_UP,
                    job_id=job_id,
                    reason=f"backfilled by {ctx.who}",
                ),
                following=following[at],
            )
            grow(ctx.store, ctx.config, [(name, job_id)], now=now, fire_at=at)
        return msgspec.structs.replace(found, job_ids=ids)


def _due(ctx: Context, stored: StoredSpec, schedule: Schedule, start: int, end: int) -> Sequence[int]:
    from queuectl.rules.schedule import due_after  # noqa: PLC0415  croniter takes 60 ms

    zone = schedule_zone(stored.spec, ctx.config.timezone)
    instants = due_after(schedule, anchor_ms=_anchor(stored, schedule, start), zone=zone, after_ms=start - 1)
    due: list[int] = []
    for at in takewhile(lambda at: at < end, instants):
        due.append(at)
        if len(due) > MOST:
            raise UsageError(
                f"more than {MOST:,} instants are due from {format_instant(start)} on; take a shorter time"
            )
    return due


def _anchor(stored: StoredSpec, schedule: Schedule, start: int) -> int:
    """`every` counts from the first apply; further back it goes in the same steps."""
    if schedule.every_ms is None or start >= stored.created_at:
        return stored.created_at
    steps = -(-(stored.created_at - start) // schedule.every_ms)
    return stored.created_at - steps * schedule.every_ms


def _ledger(ctx: Context, name: str, start: int, end: int) -> Sequence[Fire]:
    return [fire for fire in ctx.store.fires.list(spec=name, since=start, limit=10**9) if fire.due_at < end]


def _jobs(
    ctx: Context,
    stored: StoredSpec,
    schedule: Schedule,
    due: Sequence[int],
    *,
    spacing_ms: int,
    arguments: Mapping[str, Any],
) -> Iterator[NewJob]:
    now = ctx.now()
    for number, at in enumerate(due):
        run_at = now + number * spacing_ms
        ready = JobState.SCHEDULED if run_at > now else JobState.PENDING
        follows = schedule.overlap is not Overlap.ALLOW
        yield job_of(
            stored.spec,
            ctx.config,
            version=stored.version,
            state=JobState.BLOCKED if follows else ready,
            run_at=run_at,
            fire_at=at,
            reason="waits for the jobs of its spec before it" if follows else None,
            blocked_by=BlockedBy.SPEC if follows else None,
            arguments=arguments,
        )
