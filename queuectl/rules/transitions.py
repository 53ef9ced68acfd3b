"""The state machine: which moves there are, and where the end of an attempt leads."""

from __future__ import annotations

from msgspec.structs import replace

from queuectl.model.job import AttemptEnd, Job
from queuectl.model.states import WAITING, JobState, Outcome
from queuectl.model.transition import Transition
from queuectl.rules.backoff import delay_ms

TRANSITIONS: tuple[tuple[JobState, str, JobState], ...] = (
    (JobState.BLOCKED, "what it waited for is over", JobState.PENDING),
    (JobState.BLOCKED, "the same, but it isn't due yet", JobState.SCHEDULED),
    (JobState.SCHEDULED, "run_at is due", JobState.PENDING),
    (JobState.FAILED, "backoff is over", JobState.PENDING),
    (JobState.PENDING, "claim", JobState.PROCESSING),
    (JobState.PROCESSING, "success", JobState.COMPLETED),
    (JobState.PROCESSING, "attempt failed, retries left", JobState.FAILED),
    (JobState.PROCESSING, "retries used up, or a fatal exit code", JobState.DEAD),
    (JobState.PROCESSING, "worker died, or a shutdown interrupted", JobState.PENDING),
    (JobState.PROCESSING, "snoozed", JobState.SCHEDULED),
    *((state, "cancel", JobState.CANCELLED) for state in JobState if state in WAITING),
    (JobState.PROCESSING, "cancel", JobState.CANCELLED),
    (JobState.DEAD, "retry", JobState.PENDING),
    (JobState.CANCELLED, "retry", JobState.PENDING),
)
"""Every move a job can make: (from, why, to). `completed` is left by nothing: its retry makes a new job."""

OUT_OF_RESOURCES_DELAY_MS = 5_000
"""How long a job waits when the machine could not start it."""

CPU_TIME_LIMIT = "its cpu_time limit"
"""So begins what is noted of an attempt that it ended."""
KILLED_CODE = 128 + 9
"""What a shell, and much else, ends with when what it ran was killed by SIGKILL."""


def judge(end: AttemptEnd, job: Job) -> AttemptEnd:
    """Return the end with the meaning that the job's `exit_codes` give to its exit code."""
    if end.outcome not in {Outcome.SUCCEEDED, Outcome.FAILED} or end.exit_code is None:
        return end
    if end.said and end.said.cancel is not None:
        return replace(end, outcome=Outcome.CANCELLED)
    if end.said and end.said.snooze_ms is not None:
        return replace(end, outcome=Outcome.SNOOZED)
    meaning = _meaning(end.exit_code, job)
    outcome = {"success": Outcome.SUCCEEDED, "snooze": Outcome.SNOOZED}.get(meaning or "", Outcome.FAILED)
    return end if outcome is end.outcome else replace(end, outcome=outcome)


def after_attempt(job: Job, end: AttemptEnd, *, now: int, random: float) -> Transition:
    """Return where a processing job goes when its attempt has ended so. `random` in [0, 1) jitters the backoff."""
    match end.outcome:
        case Outcome.SUCCEEDED:
            return Transition(state=JobState.COMPLETED, failures=job.failures, losses=job.losses)
        case Outcome.CANCELLED if end.said and end.said.cancel is not None:
            return _cancelled(replace(job, reason=f"by itself: {end.said.cancel}"))
        case Outcome.CANCELLED:
            return _cancelled(job)
        case _ if job.cancel_requested_at is not None:
            return _cancelled(job)
        case Outcome.INTERRUPTED:
            return _again(job, JobState.PENDING, None, "interrupted: its worker was stopped")
        case Outcome.SNOOZED if end.said and end.said.snooze_ms is not None:
            return _again(job, JobState.SCHEDULED, now + end.said.snooze_ms, "snoozed by itself")
        case Outcome.SNOOZED:
            due = now + job.frozen.exit_codes.snooze_for_ms
            return _again(job, JobState.SCHEDULED, due, f"snoozed by exit code {end.exit_code}")
        case Outcome.SPAWN_FAILED if end.out_of_resources:
            return _again(job, JobState.FAILED, now + OUT_OF_RESOURCES_DELAY_MS, end.error)
        case Outcome.LOST:
            return _lost(job)
        case _:
            return _failed(job, end, now, random)


def describe(end: AttemptEnd) -> str:
    """Say in a few words how an attempt ended."""
    at_limit = (end.error or "").startswith(CPU_TIME_LIMIT)
    match end.outcome:
        case Outcome.FAILED if at_limit:
            return f"exit code {end.exit_code} ({CPU_TIME_LIMIT})"
        case Outcome.FAILED if end.exit_code == KILLED_CODE:
            return f"exit code {end.exit_code} (killed: out of memory?)"
        case Outcome.FAILED | Outcome.SNOOZED:
            return f"exit code {end.exit_code}"
        case Outcome.SIGNALLED if at_limit:
            return f"killed by {end.signal} ({CPU_TIME_LIMIT})"
        case Outcome.SIGNALLED if end.signal == "SIGKILL":
            return "killed by SIGKILL (out of memory?)"
        case Outcome.SIGNALLED:
            return f"killed by {end.signal}"
        case Outcome.TIMED_OUT:
            return "timed out"
        case Outcome.SPAWN_FAILED:
            return f"could not start: {end.error}"
        case Outcome.LOST:
            return "its worker died"
        case _:
            return end.outcome.value


def _cancelled(job: Job) -> Transition:
    return Transition(
        state=JobState.CANCELLED, failures=job.failures, losses=job.losses, reason=job.reason or "cancelled"
    )


def _again(job: Job, state: JobState, run_at: int | None, reason: str | None) -> Transition:
    return Transition(state=state, run_at=run_at, failures=job.failures, losses=job.losses, reason=reason)


def _lost(job: Job) -> Transition:
    """A job that kills its worker must not come back for ever: a loss counts against the retries."""
    failures, losses = job.failures + 1, job.losses + 1
    reason = f"its worker died during attempt {job.attempt}"
    if failures > job.max_retries:
        return Transition(state=JobState.DEAD, failures=failures, losses=losses, reason=reason)
    return Transition(state=JobState.PENDING, failures=failures, losses=losses, reason=reason)


def _failed(job: Job, end: AttemptEnd, now: int, random: float) -> Transition:
    failures = job.failures + 1
    reason = describe(end)
    if end.outcome is Outcome.FAILED and end.exit_code is not None and _meaning(end.exit_code, job) == "dead":
        return Transition(
            state=JobState.DEAD,
            failures=failures,
            losses=job.losses,
            reason=f"{reason}, which means: don't retry",
        )
    if failures > job.max_retries:
        tries = "1 attempt" if failures == 1 else f"{failures} failures"
        return Transition(
            state=JobState.DEAD, failures=failures, losses=job.losses, reason=f"{reason}, after {tries}"
        )
    backoff = job.frozen.backoff
    delay = delay_ms(
        failures,
        base_ms=backoff.base_ms or 0,
        factor=backoff.factor or 1.0,
        max_ms=backoff.max_ms or 0,
        jitter=backoff.jitter or 0.0,
        random=random,
    )
    return Transition(
        state=JobState.FAILED, run_at=now + delay, failures=failures, losses=job.losses, reason=reason
    )


def _meaning(code: int, job: Job) -> str | None:
    rules = job.frozen.exit_codes.rules
    for meaning, ranges in rules:
        if any(low <= code <= high for low, high in ranges):
            return meaning
    success_named = any(meaning == "success" for meaning, _ in rules)
    return "success" if code == 0 and not success_named else None
