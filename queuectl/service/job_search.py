"""Finding jobs page by page: what an index serves goes on for ever, what none does is looked for among the newest."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from queuectl.model.job import Job
from queuectl.service.context import Context
from queuectl.store.listing import ANY_JOB, JobFilter

PAGE_JOBS = 50
LOOKED_THROUGH = 10_000
"""Jobs that are looked through at once for what no index holds: it takes some hundredths of a second."""
_NAMED = 10
_LONGEST_TEXT = 200


class JobPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of jobs."""

    named: Sequence[Job]
    """Whose id or key begins with the text, whatever else they are filtered by; on the first page only."""
    specs: Sequence[str]
    """Whose names begin with the text."""
    jobs: Sequence[Job]
    """Newest first."""
    go_on_before: int | None
    """Where the next page begins; None: this is the last one."""
    looked_through: int | None
    """How many jobs were looked through at most; None: an index found them all."""


def search(
    ctx: Context, wanted: JobFilter = ANY_JOB, text: str | None = None, *, limit: int = PAGE_JOBS
) -> JobPage:
    """Return the newest jobs that are wanted, with `text` in their command, key, spec or reason."""
    text = (text or "").strip()[:_LONGEST_TEXT] or None
    first = wanted.before_id is None
    named = _named(ctx, text) if text and first else []
    specs = ctx.store.specs.names_like(text, limit=_NAMED) if text and first else []
    if text is None and wanted.since is None and (wanted.spec is None or wanted.queue is None):
        found = ctx.store.jobs.list(wanted, limit=limit + 1)
        go_on = found[limit - 1].id if len(found) > limit else None
        return JobPage(named=named, specs=specs, jobs=found[:limit], go_on_before=go_on, looked_through=None)
    jobs, go_on = ctx.store.jobs.matching(wanted, text, limit=limit, most=LOOKED_THROUGH)
    if go_on is not None and not _has_more(ctx, wanted, go_on):
        go_on = None
    return JobPage(named=named, specs=specs, jobs=jobs, go_on_before=go_on, looked_through=LOOKED_THROUGH)


def _named(ctx: Context, text: str) -> list[Job]:
    digits = text.isascii() and text.isdecimal() and not text.startswith("0")
    found = [*(ctx.store.jobs.with_id_like(text, limit=_NAMED) if digits and len(text) <= 12 else [])]
    found += ctx.store.jobs.with_key_like(text, limit=_NAMED)
    return list({job.id: job for job in found}.values())[:_NAMED]


def _has_more(ctx: Context, wanted: JobFilter, before: int) -> bool:
    """Whether there is any job left to look at: else the next page would be empty for nothing."""
    by_index = JobFilter(states=wanted.states, spec=wanted.spec, queue=None if wanted.spec else wanted.queue)
    return bool(ctx.store.jobs.list(replace(by_index, before_id=before), limit=1))
