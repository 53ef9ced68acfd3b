"""Which jobs to list, and by which index the newest of them are found without looking through all others.

No index serves a statement whose filters may be absent. So what is wanted is asked for piece by piece: each state of
each queue, or of the spec, is one walk backwards along an index that stops at the limit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

import msgspec

from queuectl.model.states import JobState
from queuectl.store.database import Database, Row

FEW = 2_000
"""So many changed jobs are sorted; where there are more of them, those that are wanted are near the newest."""

_FOREVER = 2**63 - 1


class JobFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which jobs to list; None means any."""

    states: Collection[JobState] | None = None
    spec: str | None = None
    queue: str | None = None
    since: int | None = None
    """Changed at or after this instant."""
    before_id: int | None = None
    """Older ones than this: to page on."""


ANY_JOB = JobFilter()


def newest(db: Database, wanted: JobFilter, *, limit: int) -> list[Row]:
    """Return the rows of the jobs that are wanted, newest first."""
    before_id = _FOREVER if wanted.before_id is None else wanted.before_id
    ids = _few_changed(db, wanted)
    if ids is None:
        if wanted.states is None and wanted.spec is None and wanted.queue is None:
            return db.run("newest_jobs", since=wanted.since, before_id=before_id, limit=limit)
        pieces = _pieces(db, wanted, {"since": wanted.since, "before_id": before_id, "limit": limit})
        ids = sorted((row["id"] for rows in pieces for row in rows), reverse=True)
    return db.run(
        "jobs_among",
        ids=_array(ids),
        states=_states(wanted),
        spec=wanted.spec,
        queue=wanted.queue,
        before_id=before_id,
        limit=limit,
    )


def _few_changed(db: Database, wanted: JobFilter) -> Sequence[int] | None:
    """Return the ids of what has changed since, wanted or not; None where that is not asked for, or is too much."""
    if wanted.since is None:
        return None
    rows = db.run("changed_jobs", states=_states(wanted), since=wanted.since, limit=FEW)
    return [row["id"] for row in rows] if len(rows) < FEW else None


def _pieces(db: Database, wanted: JobFilter, bounds: Row) -> Iterator[Sequence[Row]]:
    """Yield the newest ids of each piece."""
    kinds = []
    if wanted.spec is None or wanted.queue is not None:
        kinds = db.run("kinds_of_jobs", states=_states(wanted), queue=wanted.queue)
    if wanted.spec is not None:
        if wanted.queue is None or sum(kind["jobs"] for kind in kinds) > FEW:
            for state in JobState if wanted.states is None else wanted.states:
                yield db.run("newest_of_spec", spec=wanted.spec, state=state, queue=wanted.queue, **bounds)
            return
        bounds = bounds | {"limit": FEW}  # of whichever spec
    for kind in kinds:
        query = "newest_processing" if kind["state"] == JobState.PROCESSING else "newest_of_kind"
        yield db.run(query, state=kind["state"], queue=kind["queue"], **bounds)


def _states(wanted: JobFilter) -> str:
    return _array(sorted(JobState if wanted.states is None else wanted.states))


def _array(values: Iterable[object]) -> str:
    return msgspec.json.encode(list(values)).decode()
