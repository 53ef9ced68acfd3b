"""Attempts: what each execution of a job did."""

from __future__ import annotations

from collections.abc import Sequence

from queuectl.model.job import Attempt
from queuectl.model.states import Outcome
from queuectl.store.database import Database, Row


class Attempts:
    """The attempts of all jobs. They start with a claim and end with `Jobs.finish`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def of_job(self, job_id: int) -> Sequence[Attempt]:
        """Return the attempts of a job, oldest first."""
        return [_attempt(row) for row in self._db.run("attempts_of_job", job_id=job_id)]

    def get(self, job_id: int, number: int) -> Attempt | None:
        """Return one attempt."""
        rows = self._db.run("attempt", job_id=job_id, number=number)
        return _attempt(rows[0]) if rows else None

    def running_of_worker(self, worker: str) -> Sequence[Attempt]:
        """Return the attempts that a worker holds, by job."""
        return [_attempt(row) for row in self._db.run("running_attempts_of_worker", worker=worker)]

    def record_pid(self, job_id: int, number: int, *, worker: str, pid: int, pid_mark: str) -> None:
        """Note which process an attempt runs in, so that what is left of it can be found."""
        self._db.run("record_pid", job_id=job_id, number=number, worker=worker, pid=pid, pid_mark=pid_mark)


def _attempt(row: Row) -> Attempt:
    return Attempt(
        job_id=row["job_id"],
        number=row["number"],
        worker=row["worker_id"],
        host=row["host"],
        pid=row["pid"],
        pid_mark=row["pid_mark"],
        outcome=None if row["outcome"] is None else Outcome(row["outcome"]),
        exit_code=row["exit_code"],
        signal=row["signal"],
        error=row["error"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        duration_ms=row["duration_ms"],
        output=row["output"] or b"",
        output_bytes=row["output_bytes"],
        output_file=row["output_file"],
        truncated=bool(row["truncated"]),
        cpu_ms=row["cpu_ms"],
        max_rss_kib=row["max_rss_kib"],
    )
