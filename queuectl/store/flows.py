"""Flows: which jobs need which, and what the end of one means for the others."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from queuectl.model.flow import JobNeed, Times
from queuectl.model.job import Said
from queuectl.model.states import JobState
from queuectl.store.database import Database, Row


class Flows:
    """The needs of all jobs."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def needed_specs(self, names: Collection[str]) -> set[str]:
        """Return those of the specs that live ones need."""
        rows = self._db.run("needed_specs", names=_json(list(names))) if names else []
        return {row["name"] for row in rows}

    def enter(self, spec: str, job_id: int) -> int:
        """Make a new job of a spec part of the oldest flow that waits for it or what is below it, else of its own.

        Returns the flow.
        """
        waiting: int | None = self._db.run("flow_that_waits_for_spec", spec=spec)[0]["flow"]
        flow = job_id if waiting is None else waiting
        self.add([job_id], flow)
        self.fill(flow, {spec: job_id})
        return flow

    def fill(self, flow: int, made: Mapping[str, int]) -> None:
        """Let the jobs of a flow that wait for the next ones of some specs need those that are made now."""
        if made:
            self._db.run("fill_needs", flow=flow, made=_json(list(made.items())))

    def add(self, ids: Sequence[int], flow: int) -> None:
        """Make jobs part of a flow, where they aren't part of one."""
        self._db.run("enter_flow", ids=_json(ids), flow=flow)

    def jobs_by_spec(self, flow: int, specs: Collection[str]) -> Mapping[str, int]:
        """Return the latest job in a flow of each of the specs that has one."""
        rows = self._db.run("jobs_of_flow_by_spec", flow=flow, specs=_json(list(specs))) if specs else []
        return {row["spec"]: row["id"] for row in rows if row["id"] is not None}

    def open_jobs(self, flow: int) -> Sequence[int]:
        """Return the ids of the jobs of a flow that aren't final, newest first."""
        return [row["id"] for row in self._db.run("open_jobs_of_flow", flow=flow)]

    def times(self, flow: int) -> Mapping[int, Times]:
        """Return when the jobs of a flow ran that have started."""
        rows = self._db.run("times_of_flow", flow=flow)
        return {row["job_id"]: Times(started_at=row["started_at"], took_ms=row["took_ms"]) for row in rows}

    def add_needs(self, needs: Iterable[JobNeed]) -> None:
        """Let jobs need others."""
        rows = [(need.job_id, need.spec, need.needs_id, need.ends, int(need.met)) for need in needs]
        if rows:
            self._db.run("add_needs", needs=_json(rows))

    def needs(self, flow: int) -> Sequence[JobNeed]:
        """Return the needs of all jobs of a flow."""
        return [_need(row) for row in self._db.run("needs_of_flow", flow=flow)]

    def needs_of(self, job_id: int) -> Sequence[JobNeed]:
        """Return the needs of a job."""
        return [_need(row) for row in self._db.run("needs_of_job", id=job_id)]

    def outputs(self, job_id: int) -> Sequence[tuple[str, Mapping[str, str]]]:
        """Return what the jobs put out that a job needs, each with its spec, or else its key or number."""
        rows = self._db.run("said_by_needs", id=job_id)
        return [(row["name"], msgspec.json.decode(row["said"], type=Said).outputs) for row in rows]

    def settle(self, job_id: int, state: JobState, *, now: int) -> Sequence[int]:
        """Let the end of a job have its effect on those that need it.

        Blocked → pending where it was the last thing that they waited for. Blocked, with the reason, where it ended
        otherwise; the same job may still end as they need it. Returns the ids of those that can never run any more,
        for the caller to cancel: they need it dead, and it completed.
        """
        released = self._release(self._db.run("meet_needs", id=job_id, state=state), now)
        waiting = self._db.run("users_left_waiting", id=job_id)
        never = {row["job_id"] for row in waiting if state is JobState.COMPLETED and row["ends"] == "dead"}
        self._explain(
            [row["job_id"] for row in waiting if row["job_id"] not in never],
            f"needs job {job_id}, which is {state}; `queuectl retry {job_id}` lets it go on",
            now,
        )
        if released:
            self._db.announce()
        return sorted(never)

    def resume(self, job_id: int, *, now: int) -> None:
        """Tell those that need a job that it is to run after all."""
        waiting = [row["job_id"] for row in self._db.run("users_left_waiting", id=job_id)]
        self._explain(waiting, f"waits for job {job_id}", now)

    def ended(self, ids: Collection[int]) -> Sequence[tuple[int, int | None, JobState]]:
        """Return those of some jobs that are final: id, flow and state."""
        rows = self._db.run("ended_among", ids=_json(list(ids))) if ids else []
        return [(row["id"], row["flow"], JobState(row["state"])) for row in rows]

    def left_behind(self, ids: Collection[int]) -> Sequence[tuple[int, int]]:
        """Return the blocked jobs that wait for one of these, each with which one."""
        rows = self._db.run("users_left_behind", ids=_json(list(ids))) if ids else []
        return [(row["job_id"], row["needs_id"]) for row in rows]

    def users_left(self, job_id: int) -> Sequence[int]:
        """Return the ids of the blocked jobs that need a job which has ended otherwise, or not yet."""
        return [row["job_id"] for row in self._db.run("users_left_waiting", id=job_id)]

    def block_again(self, job_id: int, *, now: int) -> Row | None:
        """Pending → blocked, where a retried job needs what hasn't ended as it needs it, and still may."""
        self._db.run("waive_needs", id=job_id)
        unmet = [need for need in self.needs_of(job_id) if not need.met]
        if not unmet:
            return None
        rows = self._db.run("block_again", id=job_id, reason=waits_for(unmet), now=now)
        return rows[0] if rows else None

    def _release(self, met: Sequence[Row], now: int) -> Sequence[Row]:
        ids = sorted({row["job_id"] for row in met})
        return self._db.run("release", ids=_json(ids), now=now) if ids else []

    def _explain(self, ids: Sequence[int], reason: str, now: int) -> None:
        if ids:
            self._db.run("explain_blocked", ids=_json(ids), reason=reason, now=now)


def waits_for(needs: Sequence[JobNeed]) -> str:
    """Say what a blocked job waits for: `waits for load to be dead`, `waits for job 7 and 2 more`."""
    first = needs[0]
    ending = "" if first.ends == "completed" else f" to be {first.ends}"
    more = f" and {len(needs) - 1} more" if len(needs) > 1 else ""
    return f"waits for {first.spec or f'job {first.needs_id}'}{ending}{more}"


def _need(row: Row) -> JobNeed:
    return JobNeed(**{**row, "met": bool(row["met"])})


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
