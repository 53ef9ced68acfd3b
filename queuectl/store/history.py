"""History: what is over, and how it is forgotten, in small steps."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from queuectl.model.dead import DeadLetter
from queuectl.model.spec import Keep
from queuectl.model.states import JobState
from queuectl.store.database import Database, Row
from queuectl.store.rows import damaged, readable

_FOREVER = 2**63 - 1
_LETTERS = 200
"""Of a command: by these it is known among others."""


class _Body(msgspec.Struct, frozen=True):
    """Of a spec, what is asked for here."""

    keep: Mapping[str, Keep] = {}


class History:
    """Final jobs with their attempts, and the ledger of fires. Removing returns the output files to delete."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._looked_at = ""

    def finished(
        self, states: Collection[JobState], *, before: int, queue: str | None = None, limit: int = 1000
    ) -> Sequence[int]:
        """Return ids of final jobs that finished at or before an instant, in any order."""
        found: list[int] = []
        for state in states:
            wanted: Row = {"state": state, "before": before, "limit": limit - len(found)}
            if queue is None:
                found += _ids(self._db.run("purgeable_jobs", **wanted))
            else:
                found += _ids(self._db.run("purgeable_jobs_of_queue", queue=queue, **wanted))
        return found

    def newest_dead(self, *, limit: int) -> Sequence[DeadLetter]:
        """Return what died last, the newest first."""
        rows = self._db.run("newest_dead", letters=_LETTERS, limit=limit)
        return readable(self._db, rows, _dead_letter)

    def forget(self, job_ids: Iterable[int]) -> tuple[int, Sequence[str]]:
        """Delete jobs that don't run, and their attempts. Returns how many, and their output files."""
        those = list(job_ids)
        if not those:
            return 0, []
        with self._db.transaction():
            ids = msgspec.json.encode(those).decode()
            files = [
                row["output_file"] for row in self._db.run("forget_attempts", ids=ids) if row["output_file"]
            ]
            return len(self._db.run("delete_jobs", ids=ids)), files

    def overdue(self, *, now: int, limit: int) -> Sequence[int]:
        """Return ids of jobs that are past the age their own spec keeps."""
        return _ids(self._db.run("overdue_history", now=now, limit=limit))

    def beyond(self, state: JobState, keep: Keep, *, now: int, limit: int) -> Sequence[int]:
        """Return ids of jobs of a final state past what the configuration keeps, those that finished first.

        Those with a `keep` of their own stay.
        """
        if keep.count is None:
            before = now - (keep.for_ms or 0)
        else:
            before = _FOREVER
            limit = min(limit, self._db.run("history_size", state=state)[0]["jobs"] - keep.count)
        return (
            _ids(self._db.run("aged_history", state=state, before=before, limit=limit)) if limit > 0 else []
        )

    def counted(self, *, limit: int) -> tuple[Sequence[tuple[str, JobState, int]], bool]:
        """Return what the next specs, pruned ones too, keep by number: spec, state and number; and whether more follow.

        A call goes on where the last one ended, and at the end from the start.
        """
        rows = self._db.run("specs_that_keep_counts", after=self._looked_at, limit=limit)
        self._looked_at = rows[-1]["name"] if len(rows) == limit else ""
        kept = [
            (row["name"], JobState(state), keep.count)
            for row in rows
            for state, keep in _kept_by(row["body"]).items()
            if keep.count is not None
        ]
        return kept, bool(self._looked_at)

    def beyond_count_of_spec(self, spec: str, state: JobState, *, count: int, limit: int) -> Sequence[int]:
        """Return ids of all but the newest `count` jobs of a spec in a state."""
        return _ids(self._db.run("surplus_history_of_spec", spec=spec, state=state, count=count, limit=limit))

    def forget_fires(self, keep: Keep, *, now: int, limit: int) -> int:
        """Delete rows of the ledger past what the configuration keeps. Returns how many."""
        if keep.count is not None:
            return len(self._db.run("forget_surplus_fires", count=keep.count, limit=limit))
        return len(self._db.run("forget_fires_before", before=now - (keep.for_ms or 0), limit=limit))


def _dead_letter(row: Row) -> DeadLetter:
    try:
        return msgspec.convert(row, DeadLetter)
    except ValueError as error:
        raise damaged(f"job {row['id']}", error) from None


def _kept_by(body: str) -> Mapping[str, Keep]:
    try:
        return msgspec.json.decode(body, type=_Body).keep
    except ValueError:  # damaged: what it kept stays until it can be read
        return {}


def _ids(rows: Sequence[Row]) -> Sequence[int]:
    return [row["id"] for row in rows]
