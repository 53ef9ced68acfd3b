"""Where a job comes from: which version of which spec, and the apply that brought it."""

from __future__ import annotations

import msgspec

from queuectl.model.fire import Apply, StoredSpec
from queuectl.model.job import Job
from queuectl.rules.changes import Change, changes
from queuectl.service.context import Context


class JobOrigin(msgspec.Struct, frozen=True, kw_only=True):
    """The spec that made a job."""

    spec: str
    version: int | None
    """That the job runs."""
    latest_version: int | None
    """That a job made now would run; None for a spec that isn't there any more."""
    file: str | None
    source: str | None
    apply: Apply | None
    """That brought the version."""


def origin_of(ctx: Context, job: Job) -> JobOrigin | None:
    """Return where a job comes from; None for an ad-hoc one."""
    if job.spec is None:
        return None
    stored = ctx.store.specs.get(job.spec)
    known = None if job.spec_version is None else ctx.store.specs.version(job.spec, job.spec_version)
    return JobOrigin(
        spec=job.spec,
        version=job.spec_version,
        latest_version=stored.version if stored else None,
        file=stored.file if stored else None,
        source=stored.source if stored else None,
        apply=ctx.store.specs.apply_record(known[1]) if known else None,
    )


def applied_by(ctx: Context, stored: StoredSpec) -> Apply | None:
    """Return the apply that brought a spec's latest version."""
    return ctx.store.specs.apply_record(stored.apply_id)


def drift_of(ctx: Context, job: Job) -> tuple[Change, ...]:
    """Return what has changed in the spec of a job since the version that it runs; nothing for a spec that is gone."""
    stored = None if job.spec is None else ctx.store.specs.get(job.spec)
    if (
        stored is None
        or stored.damage
        or stored.pruned_at is not None
        or job.spec_version in {None, stored.version}
    ):
        return ()
    known = ctx.store.specs.version(stored.name, job.spec_version or 0)
    return () if known is None else changes(known[0], stored.spec)
