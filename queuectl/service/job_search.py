"""Finding jobs page by page: what an index serves goes on for ever, what none does is looked for among the newest."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec.structs import replace

from queuectl.model.job import Job
from queuectl.service.context import Context
from queuectl.store.listing import ANY_JOB, JobFilter

PAGE_JOBS = 50
LOOKED_THROUGH = 10_000
"""Jobs that are looked through at once for what no index holds: it takes some hundredths of a second."""
PATIENCE_S = 0.03
"""No step more is taken after this: commands may be long."""
STEP = 2_000
_NAMED = 10
_LONGEST_TEXT = 200
_LONGEST_ID = 12

Order = Literal["newest", "oldest", "changed"]


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """Where a page begins: behind this job."""

    id: int
    at: int = 0
    """When it changed; only where jobs are in that order."""


class JobPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of jobs."""

    named: Sequence[Job] = ()
    """Whose id or key begins with the text, whatever else they are filtered by; on the first page only."""
    specs: Sequence[str] = ()
    """Whose names begin with the text."""
    jobs: Sequence[Job] = ()
    order: Order = "newest"
    """That they are in."""
    go_on: Cursor | None = None
    """Where the next page begins; None: this is the last one."""
    looked_through: int | None = None
    """How many jobs were looked through at most; None: an index found them all."""


def search(
    ctx: Context,
    wanted: JobFilter = ANY_JOB,
    text: str | None = None,
    *,
    order: Order = "newest",
    behind: Cursor | None = None,
    limit: int = PAGE_JOBS,
) -> JobPage:
    """Return jobs that are wanted, with `text` in their command, key, spec or reason.

    They come newest first where no index serves another `order` of them: see `serves`.
    """
    text = (text or "").strip()[:_LONGEST_TEXT] or None
    if not serves(order, wanted, text):
        order, behind = "newest", None
    if order != "newest" or (text is None and wanted.since is None and not (wanted.spec and wanted.queue)):
        found = _in_order(ctx, wanted, order, behind, limit + 1)
        return JobPage(
            jobs=found[:limit], order=order, go_on=_behind(found[limit - 1]) if len(found) > limit else None
        )
    named, specs = _named(ctx, text) if text and behind is None else ((), ())
    before = None if behind is None else behind.id
    jobs, go_on, looked = _matching(ctx, replace(wanted, before_id=before), text, limit)
    return JobPage(
        named=named,
        specs=specs,
        jobs=jobs,
        go_on=None if go_on is None or not _has_more(ctx, wanted, go_on) else Cursor(id=go_on),
        looked_through=looked,
    )


def serves(order: Order, wanted: JobFilter, text: str | None) -> bool:
    """Whether an index has the jobs that are wanted in an order."""
    if order == "oldest":
        return text is None and wanted.since is None and not (wanted.spec and wanted.queue)
    if order == "changed":
        return text is None and wanted.spec is None and wanted.queue is None
    return True


def _in_order(
    ctx: Context, wanted: JobFilter, order: Order, behind: Cursor | None, limit: int
) -> Sequence[Job]:
    jobs, behind_id = ctx.store.jobs, None if behind is None else behind.id
    if order == "oldest":
        return jobs.oldest(
            states=wanted.states, spec=wanted.spec, queue=wanted.queue, after_id=behind_id, limit=limit
        )
    if order == "changed":
        before = None if behind is None else (behind.at, behind.id)
        return jobs.last_changed(states=wanted.states, since=wanted.since, before=before, limit=limit)
    return jobs.list(replace(wanted, before_id=behind_id), limit=limit)


def _behind(job: Job) -> Cursor:
    return Cursor(id=job.id, at=job.updated_at)


def _named(ctx: Context, text: str) -> tuple[Sequence[Job], Sequence[str]]:
    is_id = text.isascii() and text.isdecimal() and not text.startswith("0") and len(text) <= _LONGEST_ID
    found = list(ctx.store.jobs.with_id_like(text, limit=_NAMED) if is_id else ())
    found += ctx.store.jobs.with_key_like(text, limit=_NAMED)
    jobs = list({job.id: job for job in found}.values())[:_NAMED]
    return jobs, ctx.store.specs.names_like(text, limit=_NAMED)


def _matching(
    ctx: Context, wanted: JobFilter, text: str | None, limit: int
) -> tuple[list[Job], int | None, int]:
    """Return jobs, the id to go on before, and how many were looked through."""
    found: list[Job] = []
    looked, until = 0, time.monotonic() + PATIENCE_S
    while True:
        jobs, go_on = ctx.store.jobs.matching(wanted, text, limit=limit - len(found), most=STEP)
        found += jobs
        looked += STEP
        if go_on is None or len(found) == limit or looked >= LOOKED_THROUGH or time.monotonic() > until:
            return found, go_on, looked
        wanted = replace(wanted, before_id=go_on)


def _has_more(ctx: Context, wanted: JobFilter, before: int) -> bool:
    """Whether there is any job left to look at: else the next page would be empty for nothing."""
    by_index = JobFilter(
        states=wanted.states, spec=wanted.spec, queue=None if wanted.spec else wanted.queue, before_id=before
    )
    return bool(ctx.store.jobs.list(by_index, limit=1))
