"""History: what is over, and how it is forgotten, in small steps."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import msgspec

from queuectl.model.spec import Keep
from queuectl.model.states import JobState
from queuectl.store.database import Database, Row


class History:
    """Final jobs with their attempts, and the ledger of fires. Removing returns the output files to delete."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def finished(
        self, states: Collection[JobState], *, before: int, queue: str | None = None, limit: int = 1000
    ) -> Sequence[int]:
        """Return ids of final jobs that finished at or before an instant, in any order."""
        wanted = msgspec.json.encode(sorted(states)).decode()
        return _ids(self._db.run("purgeable_jobs", states=wanted, before=before, queue=queue, limit=limit))

    def forget(self, job_ids: Iterable[int]) -> tuple[int, Sequence[str]]:
        """Delete jobs that don't run, and their attempts. Returns how many, and their output files."""
        with self._db.transaction():
            ids = msgspec.json.encode(list(job_ids)).decode()
            files = [
                row["output_file"] for row in self._db.run("forget_attempts", ids=ids) if row["output_file"]
            ]
            return len(self._db.run("delete_jobs", ids=ids)), files

    def overdue(self, *, now: int, limit: int) -> Sequence[int]:
        """Return ids of jobs that are past the age their own spec keeps."""
        return _ids(self._db.run("overdue_history", now=now, limit=limit))

    def beyond(self, state: JobState, keep: Keep, *, now: int, limit: int) -> Sequence[int]:
        """Return ids of jobs of a state past what the configuration keeps; those with a `keep` of their own stay."""
        if keep.count is not None:
            return _ids(self._db.run("surplus_history", state=state, count=keep.count, limit=limit))
        before = now - (keep.for_ms or 0)
        return _ids(self._db.run("aged_history", state=state, before=before, limit=limit))

    def beyond_count_of_spec(self, spec: str, state: JobState, *, count: int, limit: int) -> Sequence[int]:
        """Return ids of all but the newest `count` jobs of a spec in a state."""
        return _ids(self._db.run("surplus_history_of_spec", spec=spec, state=state, count=count, limit=limit))

    def forget_fires(self, keep: Keep, *, now: int, limit: int) -> int:
        """Delete rows of the ledger past what the configuration keeps. Returns how many."""
        if keep.count is not None:
            return len(self._db.run("forget_surplus_fires", count=keep.count, limit=limit))
        return len(self._db.run("forget_fires_before", before=now - (keep.for_ms or 0), limit=limit))


def _ids(rows: Sequence[Row]) -> Sequence[int]:
    return [row["id"] for row in rows]
