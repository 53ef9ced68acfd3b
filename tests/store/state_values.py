"""What the state machine calls the store's verbs with: few names and instants, so that things meet."""

from __future__ import annotations

from itertools import product

from hypothesis import strategies as st

from queuectl.model.job import AttemptEnd, NewJob
from queuectl.model.spec import Backoff, ExitCodes, JobSpec, Keep
from queuectl.model.states import BlockedBy, JobState, Outcome

WORKERS = ("w1", "w2", "w3")
QUEUES = ("default", "mail")
SPECS = ("a", "b")

_KEEPS = (Keep(for_ms=0), Keep(for_ms=300), Keep(count=0), Keep(count=1), Keep(count=3))
_KEPT = (
    {},
    {},
    {"completed": _KEEPS[1]},
    {"dead": _KEEPS[1]},
    {"cancelled": _KEEPS[0]},
    {"completed": _KEEPS[3]},
)
_SPECS = [
    JobSpec(
        command=f"number {number}",
        queue=queue,
        priority=priority,
        retries=retries,
        backoff=Backoff(base_ms=200, factor=2.0, max_ms=500, jitter=0.0),
        exit_codes=ExitCodes(rules=(("dead", ((65, 65),)),), snooze_for_ms=200),
        keep=keep,
    )
    for number, (keep, queue, priority, retries) in enumerate(product(_KEPT, QUEUES, (0, 1), (1, 5)))
]
_KINDS = (
    (None, JobState.PENDING),
    (None, JobState.SCHEDULED),
    *product(SPECS, (JobState.PENDING, JobState.SCHEDULED, JobState.BLOCKED)),
)
"""Spec and state of new jobs."""
_END = AttemptEnd(outcome=Outcome.SUCCEEDED, exit_code=0)
_ENDS = [
    _END,
    _END,
    *(AttemptEnd(outcome=outcome) for outcome in Outcome if outcome is not Outcome.SUCCEEDED),
    AttemptEnd(outcome=Outcome.FAILED, exit_code=65),
    AttemptEnd(outcome=Outcome.FAILED, exit_code=1),
    *3 * [AttemptEnd(outcome=Outcome.LOST)],
    *2 * [AttemptEnd(outcome=Outcome.INTERRUPTED)],
    AttemptEnd(outcome=Outcome.SPAWN_FAILED, out_of_resources=True),
]


def _new_job(
    frozen: JobSpec, key: str | None, kind: tuple[str | None, JobState], run_at: int, expires_at: int | None
) -> NewJob:
    spec, state = kind
    blocked_by = BlockedBy.SPEC if state is JobState.BLOCKED else None
    return NewJob(
        frozen=frozen,
        key=key,
        spec=spec,
        state=state,
        run_at=run_at,
        expires_at=expires_at,
        blocked_by=blocked_by,
    )


instants = st.integers(0, 15).map(lambda tick: 1000 + 100 * tick)
dues = st.sampled_from([1000, 1100, 1200, 2000])
workers, queues, specs = st.sampled_from(WORKERS), st.sampled_from(QUEUES), st.sampled_from(SPECS)
served = st.sampled_from([(), (), ("default",), QUEUES])
keeps, frozen_specs, ends = st.sampled_from(_KEEPS), st.sampled_from(_SPECS), st.sampled_from(_ENDS)
new_jobs = st.builds(
    _new_job,
    frozen_specs,
    key=st.sampled_from([None, None, "k1", "k2"]),
    kind=st.sampled_from(_KINDS),
    run_at=instants,
    expires_at=st.sampled_from([None, None, 1300, 2500]),
)
