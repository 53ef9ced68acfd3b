"""Attempts: what each execution of a job did."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from queuectl.model.job import Attempt
from queuectl.model.run import Run
from queuectl.model.states import FINAL, JobState
from queuectl.store.database import Database, Row
from queuectl.store.rows import damaged, readable


class Attempts:
    """The attempts of all jobs. They start with a claim and end with `Jobs.finish`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def of_job(self, job_id: int) -> Sequence[Attempt]:
        """Return the attempts of a job, oldest first."""
        return readable(self._db, self._db.run("attempts_of_job", job_id=job_id), _attempt)

    def latest_of_job(self, job_id: int, *, limit: int) -> Sequence[Attempt]:
        """Return the latest attempts of a job, newest first, without the output that their rows hold."""
        rows = self._db.run("latest_attempts_of_job", job_id=job_id, limit=limit)
        return readable(self._db, rows, _attempt)

    def get(self, job_id: int, number: int) -> Attempt | None:
        """Return one attempt."""
        rows = self._db.run("attempt", job_id=job_id, number=number)
        return _attempt(rows[0]) if rows else None

    def runs_of_specs(self, specs: Sequence[str], *, since: int, limit: int) -> Sequence[Run]:
        """Return the last attempts of the newest jobs of some specs, up to `limit` of each state, oldest first.

        Those that started at or after `since`, or that run.
        """
        states = [JobState.PROCESSING, JobState.FAILED, *FINAL]
        rows = self._db.run(
            "runs_of_specs", specs=_json(specs), states=_json(states), since=since, limit=limit
        )
        return sorted((msgspec.convert(row, Run) for row in rows), key=lambda run: run.started_at)

    def latest_of_specs(self, specs: Sequence[str], *, limit: int) -> Sequence[Run]:
        """Return the last attempts of the `limit` newest jobs of each of some specs, oldest first.

        Of those among them that were cancelled before they ran there are none.
        """
        rows = self._db.run("latest_runs_of_specs", specs=_json(specs), limit=limit)
        return sorted((msgspec.convert(row, Run) for row in rows), key=lambda run: run.id)

    def last_output(self, job_ids: Sequence[int], *, limit: int) -> dict[int, bytes]:
        """Return the last bytes that some jobs have written, by job; of those that have not ended there are none."""
        rows = self._db.run("last_output", ids=_json(job_ids), bytes=limit)
        return {row["job_id"]: row["output"] for row in rows if row["output"]}

    def running_of_worker(self, worker: str) -> Sequence[Attempt]:
        """Return the attempts that a worker holds, by job."""
        return readable(self._db, self._db.run("running_attempts_of_worker", worker=worker), _attempt)

    def record_pid(self, job_id: int, number: int, *, worker: str, pid: int, pid_mark: str) -> None:
        """Note which process an attempt runs in, so that what is left of it can be found."""
        self._db.run("record_pid", job_id=job_id, number=number, worker=worker, pid=pid, pid_mark=pid_mark)


def _json(values: Sequence[object]) -> str:
    return msgspec.json.encode(values).decode()


def _attempt(row: Row) -> Attempt:
    changed = {
        "worker": row["worker_id"],
        "output": row["output"] or b"",
        "truncated": bool(row["truncated"]),
    }
    try:
        return msgspec.convert(row | changed, Attempt)
    except ValueError as error:
        raise damaged(f"attempt {row['number']} of job {row['job_id']}", error) from None
