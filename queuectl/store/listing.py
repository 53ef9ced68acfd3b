"""Which jobs to list, and by which index the newest of them are found without looking through all others.

No index serves a statement whose filters may be absent. So what is wanted is asked for piece by piece: each state of
each queue, or of the spec, is one walk backwards along an index that stops at the limit.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence

import msgspec

from queuectl.model.states import JobState
from queuectl.store.database import Database, Row

FEW = 2_000
"""So many changed jobs are sorted; where there are more of them, those that are wanted are near the newest."""

LAST_CHARACTER = "\U0010ffff"
"""After a prefix: behind all that begin so."""
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


def matching(
    db: Database, wanted: JobFilter, text: str | None, *, limit: int, most: int
) -> tuple[list[Row], int | None]:
    """Return rows as `newest` does, of those that also have a text in their command, key, spec or reason.

    No index finds these, so `most` jobs are looked through; also returned is the id to go on before, None at the end.
    """
    before_id = _FOREVER if wanted.before_id is None else wanted.before_id
    ids = _few_changed(db, wanted)
    is_all = ids is not None
    if ids is None:
        ids = _newest_ids(db, wanted, before_id, most)
        is_all = len(ids) < most
    rows = db.run(
        "jobs_that_match",
        ids=_array(ids),
        states=_states(wanted),
        spec=wanted.spec,
        queue=wanted.queue,
        since=wanted.since,
        pattern=None if text is None else _pattern(text),
        before_id=before_id,
        limit=limit,
    )
    if len(rows) == limit:
        return rows, rows[-1]["id"]
    return rows, None if is_all else ids[-1]


def _newest_ids(db: Database, wanted: JobFilter, before_id: int, most: int) -> Sequence[int]:
    """Return ids by what one index holds of the filter: the states of a spec, or of a queue. Newest first."""
    if wanted.states is None and wanted.spec is None and wanted.queue is None:
        return [row["id"] for row in db.run("newest_job_ids", before_id=before_id, limit=most)]
    by_index = JobFilter(states=wanted.states, spec=wanted.spec, queue=None if wanted.spec else wanted.queue)
    pieces = _pieces(db, by_index, {"since": None, "before_id": before_id, "limit": most})
    return sorted((row["id"] for rows in pieces for row in rows), reverse=True)[:most]


def _pattern(text: str) -> str:
    return "%" + re.sub("[!%_]", r"!\g<0>", text) + "%"


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
