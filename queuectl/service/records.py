"""Records: how specs have done of late, and what they were before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from queuectl.model.fire import SpecCounts, SpecKind, SpecVersion, StoredSpec
from queuectl.model.run import Run
from queuectl.model.states import JobState
from queuectl.rules.changes import Change, changes
from queuectl.service.context import Context

SHOWN = 30
"""Runs that a record is made of."""
_FAILED = frozenset({JobState.FAILED, JobState.DEAD})


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What a spec's newest jobs came to."""

    runs: Sequence[Run] = ()
    """Their last attempts, oldest first."""
    average_ms: float | None = None
    """Of those that completed."""
    success_rate: float | None = None
    """Of those that completed or failed."""


class SpecPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some specs by name."""

    specs: Sequence[StoredSpec]
    records: Mapping[str, Record]
    counts: SpecCounts
    go_on_after: str | None
    """The name that the next page begins behind; None: there is none."""


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a spec, and what it changed."""

    version: SpecVersion
    changes: Sequence[Change]
    """Since the version before; of the first one there are none."""


def spec_page(ctx: Context, *, after: str, limit: int, text: str | None, kind: SpecKind | None) -> SpecPage:
    """Return the specs behind `after` by name: of a kind, with a text in name, file, description or command."""
    found = ctx.store.specs.page(after=after, limit=limit + 1, text=text, kind=kind)
    shown = found[:limit]
    return SpecPage(
        specs=shown,
        records=records(ctx, [one.name for one in shown]),
        counts=ctx.store.specs.counts(),
        go_on_after=shown[-1].name if len(found) > limit else None,
    )


def records(ctx: Context, names: Sequence[str], *, limit: int = SHOWN) -> Mapping[str, Record]:
    """Return the record of each spec."""
    runs: dict[str, list[Run]] = {name: [] for name in names}
    for run in ctx.store.attempts.latest_of_specs(names, limit=limit):
        runs[run.spec].append(run)
    return {name: record_of(some) for name, some in runs.items()}


def record_of(runs: Sequence[Run]) -> Record:
    """Return what runs come to."""
    took = [run.finished_at - run.started_at for run in _completed(runs) if run.finished_at is not None]
    good, bad = len(took), sum(run.state in _FAILED for run in runs)
    return Record(
        runs=runs,
        average_ms=sum(took) / good if took else None,
        success_rate=good / (good + bad) if good + bad else None,
    )


def history(
    ctx: Context, name: str, *, newest: int | None = None, limit: int
) -> tuple[Sequence[Revision], int | None]:
    """Return versions of a spec, newest first, and the one that the next page begins with; None: there is none."""
    found = ctx.store.specs.versions(name, newest=newest, limit=limit + 1)
    before = [*found[1:], None]  # of the last one, which is the first version or one too many
    shown = [
        Revision(version=one, changes=_between(was, one)) for one, was in zip(found, before, strict=False)
    ]
    return shown[:limit], found[limit].version if len(found) > limit else None


def _completed(runs: Iterable[Run]) -> Iterable[Run]:
    return (run for run in runs if run.state is JobState.COMPLETED)


def _between(was: SpecVersion | None, becomes: SpecVersion) -> Sequence[Change]:
    if was is None or was.spec is None or becomes.spec is None:
        return ()
    return changes(was.spec, becomes.spec)
