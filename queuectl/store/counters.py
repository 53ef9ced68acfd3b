"""Counters: what the metrics are made of, without looking at all jobs and attempts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from queuectl.model.count import BucketCount, EndedCount
from queuectl.model.job import Job
from queuectl.model.states import JobState, Outcome
from queuectl.rules.buckets import TOOK_MS, WAITED_MS, end_of_bucket
from queuectl.store.database import Database


class Counters:
    """Counts that are kept, or cheap to take."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def note(self, job: Job, outcome: Outcome, *, took_ms: int, now: int) -> None:
        """Count an attempt of `job`, as it was claimed, that has just ended. In the transaction that ends it."""
        waited_ms = max(0, now - took_ms - self._ready_at(job))
        self._db.run(
            "count_attempt",
            spec=job.spec or "",
            queue=job.queue,
            outcome=outcome,
            took_le=end_of_bucket(took_ms, TOOK_MS),
            waited_le=end_of_bucket(waited_ms, WAITED_MS),
            took_ms=took_ms,
            waited_ms=waited_ms,
            now=now,
        )

    def attempts(self) -> Sequence[EndedCount]:
        """Return how many attempts have ended, ever."""
        return [EndedCount(**row) for row in self._db.run("attempts_of_specs")]

    def durations(self) -> Sequence[BucketCount]:
        """Return how long they took."""
        return [BucketCount(**row) for row in self._db.run("attempts_by_duration")]

    def waits(self) -> Sequence[BucketCount]:
        """Return how long they waited: since they were due, or the attempt before had ended, until they began."""
        return [BucketCount(**row) for row in self._db.run("attempts_by_wait")]

    def jobs(self) -> Mapping[tuple[str, JobState], int]:
        """Return how many jobs each queue has in each state; what isn't there was never seen."""
        return {(row["queue"], JobState(row["state"])): row["jobs"] for row in self._db.run("job_counts")}

    def next_fires(self) -> Mapping[str, int]:
        """Return when each spec fires next that has a schedule which isn't paused."""
        return {row["name"]: row["next_fire_at"] for row in self._db.run("next_fire_of_each_spec")}

    def _ready_at(self, job: Job) -> int:
        """Return from when on the attempt that a job is on could have run."""
        if job.attempt < 2:
            return job.run_at
        rows = self._db.run("end_of_attempt", job_id=job.id, number=job.attempt - 1)
        return max(job.run_at, *(row["finished_at"] or 0 for row in rows), 0)
