"""Which jobs need which, in plain Python: what the end of one means for the others."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from queuectl.model.job import Job
from queuectl.model.states import FINAL, BlockedBy, JobState

if TYPE_CHECKING:
    from tests.store.state_model import Model


class Needed(msgspec.Struct, kw_only=True):
    """What a job needs: `on` a job, or, as long as that isn't made, the next one of `spec`."""

    job: int
    on: int | None
    spec: str | None
    ends: str
    met: bool = False


class FlowsModel:
    """The needs of all jobs."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.needs: list[Needed] = []

    def open_jobs(self, flow: int) -> list[int]:
        return sorted(
            (job.id for job in self.model.jobs.values() if job.flow == flow and job.state not in FINAL),
            reverse=True,
        )

    def unmet(self, job_id: int) -> list[Needed]:
        return [need for need in self.needs if need.job == job_id and not need.met]

    def need(self, needs: Sequence[Needed], now: int) -> None:
        self.needs += needs
        for job_id in sorted({need.on for need in needs if need.on is not None}):
            if self.model.jobs[job_id].state in FINAL:
                self.ended(job_id, now)

    def enter(self, spec: str, job_id: int) -> int:
        """A new job of a spec joins the oldest flow that waits for one and has none, or begins its own."""
        jobs = self.model.jobs
        open_needs = [need for need in self.needs if need.spec == spec and need.on is None]
        flows = {jobs[need.job].flow or 0 for need in open_needs if jobs[need.job].state is JobState.BLOCKED}
        flow = min(flows - {job.flow for job in self.model.of_spec(spec, set(JobState))}, default=job_id)
        for need in open_needs:
            if jobs[need.job].flow == flow:
                need.on = job_id
        self.model.join_flow([job_id], flow)
        return flow

    def ended(self, job_id: int, now: int) -> None:
        """Those that it was the last thing for go on; those that can never run any more are cancelled."""
        state = self.model.jobs[job_id].state
        hopeless: list[tuple[int, str]] = []
        for user in list(self._waiting_for(job_id)):
            needs = [need for need in self.unmet(user.id) if need.on == job_id]
            if state is JobState.COMPLETED and any(need.ends == "dead" for need in needs):
                hopeless.append((user.id, f"not needed: job {job_id} has completed"))
            elif any(need.ends not in {state, "finished"} for need in needs):
                what = f"needs job {job_id}, which is {state}; `queuectl retry {job_id}` lets it go on"
                self.model.set(user.id, now, reason=what)
        for need in self.needs:
            need.met |= need.on == job_id and need.ends in {state, "finished"}
        self._go_on(now)
        self.give_up(hopeless, now)

    def give_up(self, hopeless: list[tuple[int, str]], now: int) -> None:
        """Cancel jobs, and what needs them."""
        while hopeless:
            job_id, reason = hopeless.pop(0)
            if self.model.jobs[job_id].state is JobState.BLOCKED:
                users = [user.id for user in self._waiting_for(job_id)]
                self.model.set(job_id, now, state=JobState.CANCELLED, reason=reason)
                still = [user for user in users if any(need.on == job_id for need in self.unmet(user))]
                hopeless += [(user, f"not needed: job {job_id} has not run") for user in still]

    def retried(self, job_id: int, now: int) -> None:
        """It waits again for what it needs, unless that can't end so any more; others wait for it."""
        model = self.model
        for user in list(self._waiting_for(job_id)):
            model.set(user.id, now, reason=f"waits for job {job_id}")
        for need in self.unmet(job_id):
            gone = need.on is not None and need.on not in model.jobs
            need.met = gone or (need.on in model.jobs and model.jobs[need.on].state is JobState.COMPLETED)
        if unmet := self.unmet(job_id):
            what = unmet[0].spec or f"job {unmet[0].on}"
            ending = "" if unmet[0].ends == "completed" else f" to be {unmet[0].ends}"
            more = f" and {len(unmet) - 1} more" if unmet[1:] else ""
            reason = f"waits for {what}{ending}{more}"
            model.set(job_id, now, state=JobState.BLOCKED, blocked_by=BlockedBy.NEEDS, reason=reason)

    def left_behind(self, gone: Collection[int], now: int) -> None:
        """What waits for jobs that are about to be deleted."""
        gone = sorted(one for one in gone if one in self.model.jobs)
        going = [one for one in gone if self.model.jobs[one].state is not JobState.PROCESSING]
        left = [
            (user.id, f"needs job {one}, which was deleted")
            for one in going
            for user in self._waiting_for(one)
        ]
        self.give_up(left, now)

    def forget(self, gone: Collection[int]) -> None:
        self.needs = [need for need in self.needs if need.job not in gone]

    def _waiting_for(self, job_id: int) -> Iterator[Job]:
        users = {need.job for need in self.needs if need.on == job_id and not need.met}
        return (self.model.jobs[one] for one in sorted(users) if self._waits(one))

    def _waits(self, job_id: int) -> bool:
        return self.model.jobs[job_id].blocked_by is BlockedBy.NEEDS

    def _go_on(self, now: int) -> None:
        for job_id in {need.job for need in self.needs}:
            if self._waits(job_id) and not self.unmet(job_id):
                self.model.let_go(job_id, now)
                self.model.set(job_id, now, run_at=max(self.model.jobs[job_id].run_at, now))
