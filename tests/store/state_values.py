"""What the state machine calls the store's verbs with: few names and instants, so that things meet."""

from __future__ import annotations

from itertools import product
from typing import Any

from hypothesis import strategies as st
from msgspec.structs import replace

from queuectl.model.job import AttemptEnd, NewJob
from queuectl.model.spec import Backoff, Concurrency, ExitCodes, JobSpec, Keep
from queuectl.model.states import BlockedBy, JobState, OnConflict, Outcome
from queuectl.rules.gate import at_gate

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
SLOTS = {"db": 1, "db-x": 2, "net": 2}
"""What is shared, and by how many."""
_GATES: list[dict[str, Any]] = [
    {},
    {"concurrency": Concurrency(key="db")},
    {},
    {"concurrency": Concurrency(key="net", limit=2)},
    {"rate_us": 150_000},
    {"concurrency": Concurrency(key="db", on_conflict=OnConflict.REPLACE)},
    {},
    {"concurrency": Concurrency(key="net", limit=2, on_conflict=OnConflict.SKIP)},
    {"concurrency": Concurrency(key="db-${T}", limit=2), "params": {"T": {}}, "arguments": {"T": "x"}},
    {},
    {"concurrency": Concurrency(key="net", limit=2, on_conflict=OnConflict.REPLACE), "rate_us": 70_000},
]
_SPECS = [
    JobSpec(
        **_GATES[number % len(_GATES)],
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
    new = NewJob(
        frozen=suited(frozen, spec),
        key=key,
        spec=spec,
        state=state,
        run_at=run_at,
        expires_at=expires_at,
        blocked_by=blocked_by,
    )
    return at_gate(new)


def suited(frozen: JobSpec, spec: str | None) -> JobSpec:
    """Rates are those of specs: an ad-hoc job has none."""
    return frozen if spec else replace(frozen, rate_us=None)


instants = st.integers(0, 15).map(lambda tick: 1000 + 100 * tick)
dues = st.sampled_from([1000, 1100, 1200, 2000])
workers, queues, specs = st.sampled_from(WORKERS), st.sampled_from(QUEUES), st.sampled_from(SPECS)
served = st.sampled_from([(), (), ("default",), QUEUES])
keeps, ends = st.sampled_from(_KEEPS), st.sampled_from(_ENDS)
frozen_specs = st.integers(0, len(_SPECS) - 1).map(lambda number: _SPECS[number])  # shown in one line
needs = st.lists(
    st.tuples(st.integers(0, 9), st.sampled_from(["completed", "completed", "dead", "finished"])),
    min_size=1,
    max_size=3,
)
"""Which of the latest jobs, or, past these, the next of a spec; and how it has to end."""
limits = st.sampled_from([(None, None), (None, None), (1, None), (2, None), (None, 250_000)])
new_jobs = st.builds(
    _new_job,
    frozen_specs,
    key=st.sampled_from([None, None, "k1", "k2"]),
    kind=st.sampled_from(_KINDS),
    run_at=instants,
    expires_at=st.sampled_from([None, None, 1300, 2500]),
)
