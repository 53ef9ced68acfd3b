"""Where the end of an attempt leads."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from queuectl.model.config import Config
from queuectl.model.job import AttemptEnd, Job
from queuectl.model.spec import Backoff, ExitCodes, JobSpec
from queuectl.model.states import FINAL, JobState, Outcome
from queuectl.rules.freeze import freeze
from queuectl.rules.transitions import TRANSITIONS, after_attempt, judge

NOW = 1_000_000


def job(*, failures: int = 0, losses: int = 0, cancelled: bool = False, **spec: Any) -> Job:
    frozen = freeze(
        JobSpec(command="true", backoff=Backoff(base_ms=100, factor=2.0, jitter=0.0), **spec), Config()
    )
    return Job(
        id=1,
        key=None,
        spec=None,
        spec_version=None,
        frozen=frozen,
        state=JobState.PROCESSING,
        run_at=0,
        expires_at=None,
        fire_at=None,
        attempt=failures + 1,
        failures=failures,
        losses=losses,
        reason=None,
        exit_code=None,
        worker="w",
        cancel_requested_at=5 if cancelled else None,
        created_at=0,
        updated_at=0,
        finished_at=None,
    )


def exited(code: int) -> AttemptEnd:
    return AttemptEnd(outcome=Outcome.FAILED if code else Outcome.SUCCEEDED, exit_code=code)


def after(subject: Job, end: AttemptEnd) -> tuple[JobState, int, int, int | None]:
    done = after_attempt(subject, judge(end, subject), now=NOW, random=0.5)
    return done.state, done.failures, done.losses, None if done.run_at is None else done.run_at - NOW


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (exited(0), (JobState.COMPLETED, 0, 0, None)),
        (exited(1), (JobState.FAILED, 1, 0, 100)),
        (AttemptEnd(outcome=Outcome.SIGNALLED, signal="SIGSEGV"), (JobState.FAILED, 1, 0, 100)),
        (AttemptEnd(outcome=Outcome.TIMED_OUT), (JobState.FAILED, 1, 0, 100)),
        (AttemptEnd(outcome=Outcome.SPAWN_FAILED, error="no shell"), (JobState.FAILED, 1, 0, 100)),
        (AttemptEnd(outcome=Outcome.SPAWN_FAILED, out_of_resources=True), (JobState.FAILED, 0, 0, 5_000)),
        (AttemptEnd(outcome=Outcome.LOST), (JobState.PENDING, 1, 1, None)),
        (AttemptEnd(outcome=Outcome.INTERRUPTED), (JobState.PENDING, 0, 0, None)),
        (AttemptEnd(outcome=Outcome.CANCELLED), (JobState.CANCELLED, 0, 0, None)),
    ],
)
def test_first_attempt(end: AttemptEnd, expected: tuple[JobState, int, int, int | None]) -> None:
    assert after(job(), end) == expected


def test_backoff_grows_with_the_failures() -> None:
    assert [after(job(failures=n), exited(1))[3] for n in range(3)] == [100, 200, 400]


def test_dies_when_the_retries_are_used_up() -> None:
    assert after(job(failures=3), exited(1))[0] is JobState.DEAD
    assert after(job(retries=0), exited(1))[0] is JobState.DEAD


def test_a_loss_counts_against_the_retries() -> None:
    assert after(job(retries=0), AttemptEnd(outcome=Outcome.LOST))[0] is JobState.DEAD
    assert after(job(failures=3, losses=3), AttemptEnd(outcome=Outcome.LOST))[:3] == (JobState.DEAD, 4, 4)


def test_lack_of_resources_never_kills_a_job() -> None:
    end = AttemptEnd(outcome=Outcome.SPAWN_FAILED, out_of_resources=True)
    assert after(job(failures=3), end)[:2] == (JobState.FAILED, 3)


def test_exit_codes_first_match_wins() -> None:
    codes = ExitCodes(
        rules=(("success", ((0, 0), (3, 3))), ("dead", ((64, 78),)), ("snooze", ((75, 75), (80, 80)))),
        snooze_for_ms=7,
    )
    subject = job(exit_codes=codes)
    assert after(subject, exited(3))[0] is JobState.COMPLETED
    assert after(subject, exited(75))[0] is JobState.DEAD
    assert after(subject, exited(80)) == (JobState.SCHEDULED, 0, 0, 7)
    assert after(subject, exited(1))[0] is JobState.FAILED
    only_one = replace(codes, rules=(("success", ((1, 1),)),))
    assert after(job(exit_codes=only_one), exited(0))[0] is JobState.FAILED


def test_cancelled_while_it_ran() -> None:
    assert after(job(cancelled=True), exited(1))[0] is JobState.CANCELLED
    assert after(job(cancelled=True), AttemptEnd(outcome=Outcome.LOST))[0] is JobState.CANCELLED
    assert after(job(cancelled=True), exited(0))[0] is JobState.COMPLETED, (
        "it was done before the cancel took"
    )


@pytest.mark.parametrize("outcome", list(Outcome))
@pytest.mark.parametrize("failures", [0, 3])
def test_every_end_is_a_move_of_the_table(outcome: Outcome, failures: int) -> None:
    done = after_attempt(
        job(failures=failures), AttemptEnd(outcome=outcome, exit_code=1), now=NOW, random=0.5
    )
    assert (JobState.PROCESSING, done.state) in {(before, state) for before, _, state in TRANSITIONS}
    assert done.finished == (done.state in FINAL)
