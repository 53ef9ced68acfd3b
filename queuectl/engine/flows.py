"""Flows: a new job of a spec that others need brings the jobs of all of these with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from queuectl.model.config import Config
from queuectl.model.fire import StoredSpec
from queuectl.model.flow import JobNeed
from queuectl.model.states import BlockedBy, JobState
from queuectl.rules.making import job_of
from queuectl.store.flows import waits_for
from queuectl.store.store import Store


def grow(
    store: Store, config: Config, made: Sequence[tuple[str, int]], *, now: int, fire_at: int | None = None
) -> None:
    """Make the jobs below new ones, inside the caller's transaction. `made`: pairs of a spec and its new job.

    Where a flow waits for the next job of a spec, the new one becomes part of it, and only what is missing there is
    made.
    """
    needed = store.flows.needed_specs({spec for spec, _ in made})
    for spec, job_id in made:
        if spec in needed:
            _grow(store, config, spec, job_id, now=now, fire_at=fire_at)


def _grow(store: Store, config: Config, name: str, job_id: int, *, now: int, fire_at: int | None) -> None:
    flow = store.flows.enter(name, job_id)
    missing = store.specs.below(name, flow)
    news = [
        job_of(
            stored.spec,
            config,
            version=stored.version,
            state=JobState.BLOCKED,
            run_at=now,
            fire_at=fire_at,
            reason=waits_for(_needs(stored, 0, {})),
            blocked_by=BlockedBy.NEEDS,
            flow=flow,
        )
        for stored in missing
    ]
    made = {spec: one for (spec, _), one in store.specs.make_jobs(news, now=now).items()}
    store.flows.fill(flow, made)
    needed = {need.job for stored in missing for need in stored.spec.needs}
    there = {**store.flows.jobs_by_spec(flow, needed), **made}
    needs = [need for stored in missing for need in _needs(stored, made[stored.name], there)]
    store.jobs.need(needs, now=now)


def _needs(stored: StoredSpec, job_id: int, jobs: Mapping[str, int]) -> Sequence[JobNeed]:
    return [
        JobNeed(job_id=job_id, spec=need.job, needs_id=jobs.get(need.job), ends=need.on)
        for need in stored.spec.needs
    ]
