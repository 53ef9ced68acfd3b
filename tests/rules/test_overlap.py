"""What a fire does while an earlier job of its spec is not finished."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from queuectl.model.job import Job
from queuectl.model.spec import JobSpec
from queuectl.model.states import JobState, Overlap
from queuectl.rules.overlap import meet

RUNNING = Job(
    id=7,
    key=None,
    spec="s",
    spec_version=1,
    frozen=JobSpec(command="true"),
    state=JobState.PROCESSING,
    run_at=0,
    expires_at=None,
    fire_at=1,
    attempt=1,
    failures=0,
    losses=0,
    reason=None,
    exit_code=None,
    worker="w",
    cancel_requested_at=None,
    created_at=0,
    updated_at=0,
    finished_at=None,
)
WAITING = replace(RUNNING, id=8, state=JobState.PENDING)


@pytest.mark.parametrize("overlap", list(Overlap))
def test_nothing_in_the_way(overlap: Overlap) -> None:
    assert meet(overlap, [], caught_up=False, due=True).state is JobState.PENDING
    assert meet(overlap, [], caught_up=True, due=False).state is JobState.SCHEDULED


@pytest.mark.parametrize(
    ("overlap", "state"),
    [
        (Overlap.SKIP, None),
        (Overlap.QUEUE, JobState.BLOCKED),
        (Overlap.REPLACE, JobState.BLOCKED),
        (Overlap.ALLOW, JobState.PENDING),
    ],
)
def test_one_runs(overlap: Overlap, state: JobState | None) -> None:
    meeting = meet(overlap, [RUNNING], caught_up=False, due=True)
    assert meeting.state is state
    assert meeting.cancel == ((7,) if overlap is Overlap.REPLACE else ())
    if state is not JobState.PENDING:
        assert "job 7" in (meeting.reason or "")


def test_replacing_one_that_only_waits_starts_at_once() -> None:
    meeting = meet(Overlap.REPLACE, [WAITING], caught_up=False, due=True)
    assert (meeting.state, meeting.cancel) == (JobState.PENDING, (8,))


def test_caught_up_jobs_queue_up_instead_of_skipping_each_other() -> None:
    assert meet(Overlap.SKIP, [RUNNING], caught_up=True, due=True).state is JobState.BLOCKED
    by_hand = replace(RUNNING, fire_at=None)
    assert meet(Overlap.SKIP, [by_hand], caught_up=True, due=True).state is None
