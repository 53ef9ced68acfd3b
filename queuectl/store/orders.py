"""Jobs in other orders than newest first, as far as an index serves these: piece by piece, as in `listing`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import msgspec

from queuectl.model.states import JobState
from queuectl.store.database import Database, Row

_FOREVER = 2**63 - 1


def oldest(
    db: Database,
    *,
    states: Collection[JobState] | None,
    spec: str | None,
    queue: str | None,
    after_id: int | None,
    limit: int,
) -> list[Row]:
    """Return the rows of jobs, oldest first, of a spec or of a queue or of neither, from the one behind an id on."""
    after = -1 if after_id is None else after_id
    if states is None and spec is None and queue is None:
        return db.run("oldest_jobs", after_id=after, limit=limit)
    some = tuple(JobState) if states is None else tuple(states)
    bounds = {"after_id": after, "limit": limit}
    ids = sorted(row["id"] for rows in _oldest(db, some, spec, queue, bounds) for row in rows)
    return _rows(db, ids[:limit])


def last_changed(
    db: Database,
    *,
    states: Collection[JobState] | None,
    since: int | None,
    before: tuple[int, int] | None,
    limit: int,
) -> list[Row]:
    """Return the rows of jobs, those that changed last first, from behind an instant and an id on."""
    at, before_id = before or (_FOREVER, _FOREVER)
    bounds = {"at": at, "before_id": before_id, "since": since or 0, "limit": limit}
    found = [
        (row["updated_at"], row["id"])
        for state in (JobState if states is None else states)
        for rows in _changed(db, state, bounds)
        for row in rows
    ]
    return _rows(db, [job_id for _, job_id in sorted(found, reverse=True)[:limit]])


def _oldest(
    db: Database, states: Collection[JobState], spec: str | None, queue: str | None, bounds: Row
) -> Iterator[Sequence[Row]]:
    if spec is not None:
        for state in states:
            yield db.run("oldest_of_spec", spec=spec, state=state, **bounds)
        return
    for kind in db.run("kinds_of_jobs", states=_array(sorted(states)), queue=queue):
        query = "oldest_processing" if kind["state"] == JobState.PROCESSING else "oldest_of_kind"
        yield db.run(query, state=kind["state"], queue=kind["queue"], **bounds)


def _changed(db: Database, state: JobState, bounds: Row) -> Iterator[Sequence[Row]]:
    if state is JobState.PROCESSING:
        yield db.run("last_changed_processing", **bounds)
        return
    for own_keep in (0, 1):
        yield db.run("last_changed_of_kind", state=state, own_keep=own_keep, **bounds)
        yield db.run("changed_then_of_kind", state=state, own_keep=own_keep, **bounds)


def _rows(db: Database, ids: Sequence[int]) -> list[Row]:
    """Return rows in the order of their ids."""
    rows = {row["id"]: row for row in db.run("jobs_with_ids", ids=_array(ids))}
    return [rows[job_id] for job_id in ids if job_id in rows]


def _array(values: Sequence[object]) -> str:
    return msgspec.json.encode(values).decode()
