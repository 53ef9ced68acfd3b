"""Jobs that need others, made and ended through the store's verbs."""

from __future__ import annotations

from typing import Any

from queuectl.model.flow import Ends, JobNeed
from queuectl.model.job import Job
from queuectl.model.states import BlockedBy, JobState, Outcome
from queuectl.store.store import Store
from tests.store.conftest import Bench

BLOCKED, SCHEDULED, PENDING = JobState.BLOCKED, JobState.SCHEDULED, JobState.PENDING
PROCESSING = JobState.PROCESSING
COMPLETED, CANCELLED, DEAD = JobState.COMPLETED, JobState.CANCELLED, JobState.DEAD


class Flow:
    """Makes jobs that need others."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.bench = Bench(store)

    def job(self, *needs: Job | str, ends: Ends = "completed", **changes: Any) -> Job:
        """A job that needs others: jobs, or the next ones of specs; it is in the flow of the first."""
        if not needs:
            job = self.bench.enqueue(**changes)
            self.store.flows.add([job.id], job.id)
            return self.bench.now(job)
        flow = next((self.bench.now(need).flow for need in needs if isinstance(need, Job)), None)
        job = self.bench.enqueue(
            **{"state": JobState.BLOCKED, "blocked_by": BlockedBy.NEEDS, "flow": flow, "reason": "waits"}
            | changes
        )
        self.store.flows.add([job.id], job.id)
        found = [
            JobNeed(job_id=job.id, needs_id=need.id, ends=ends)
            if isinstance(need, Job)
            else JobNeed(job_id=job.id, spec=need, ends=ends)
            for need in needs
        ]
        self.store.jobs.need(found, now=1000)
        return self.bench.now(job)

    def run(self, job: Job, to: JobState = COMPLETED, *, now: int = 1000) -> None:
        """Let a pending job end."""
        (claimed,) = [one for one in self.bench.claim(9, now=now) if one.id == job.id]
        self.end(claimed, to, now=now)

    def end(self, claimed: Job, to: JobState = COMPLETED, *, now: int = 1000) -> bool:
        outcome = {COMPLETED: Outcome.SUCCEEDED, DEAD: Outcome.FAILED, CANCELLED: Outcome.CANCELLED}[to]
        return self.bench.finish(claimed, to, outcome=outcome, now=now)

    def state(self, job: Job) -> JobState:
        return self.bench.now(job).state

    def reason(self, job: Job) -> str | None:
        return self.bench.now(job).reason

    def delete(self, *jobs: Job) -> None:
        """Forget jobs, as a purge does."""
        ids = [job.id for job in jobs]
        self.store.jobs.leave_behind(ids, now=1000)
        self.store.history.forget(ids)
