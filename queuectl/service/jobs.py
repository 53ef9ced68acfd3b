"""Jobs: find them, cancel and retry them, wait for them, forget them."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import msgspec
from msgspec.structs import replace

from queuectl.model.errors import ConflictError, UnknownError, UsageError
from queuectl.model.fire import StoredSpec
from queuectl.model.job import Attempt, Job, NewJob
from queuectl.model.spec import JobSpec
from queuectl.model.states import FINAL, JobState
from queuectl.rules.freeze import freeze
from queuectl.rules.gate import at_gate
from queuectl.rules.nearest import did_you_mean
from queuectl.rules.params import with_arguments_of
from queuectl.service.context import Context
from queuectl.service.waiting import Sleep, WaitTimeoutError, until
from queuectl.store.listing import ANY_JOB, JobFilter

PURGED_BY_DEFAULT = frozenset({JobState.COMPLETED, JobState.CANCELLED})
"""The dead are forgotten only when somebody names them."""
BATCH = 1000
"""Jobs changed in one transaction, so that workers never wait long."""
MOST_LOOKED_AT = 2_000
"""Jobs that are looked at for one page, where no index leads to those that are wanted."""
NO_LABELS: Mapping[str, str] = {}
_LONGEST_NUMBER = 19


def find(ctx: Context, text: str) -> Job:
    """Return the job that `text` names: by its number, else by its key, else the newest of the spec so named.

    UnknownError names the nearest key or spec.
    """
    jobs = ctx.store.jobs
    number = text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER
    found = (jobs.get(int(text)) if number else None) or jobs.by_key(text) or jobs.newest_of_spec(text)
    return found or _unknown(ctx, text)


def get_job(ctx: Context, job_id: int) -> Job:
    """Return the job with this number and no other. UnknownError."""
    found = ctx.store.jobs.get(job_id)
    if found is None:
        raise UnknownError(f"there is no job {job_id}")
    return found


def list_jobs(
    ctx: Context, wanted: JobFilter = ANY_JOB, *, labels: Mapping[str, str] = NO_LABELS, limit: int = 100
) -> list[Job]:
    """Return jobs, newest first; of those with labels only the ones that have all of `labels`."""
    if not labels:
        return ctx.store.jobs.list(wanted, limit=limit)
    found: list[Job] = []
    while len(found) < limit:
        batch = ctx.store.jobs.list(wanted, limit=BATCH)
        found += [job for job in batch if labels.items() <= job.frozen.labels.items()]
        if not batch:
            break
        wanted = replace(wanted, before_id=batch[-1].id)
    return found[:limit]


class JobPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some jobs of a list, newest first."""

    jobs: Sequence[Job]
    before_id: int | None
    """Where the next page begins; None: this is the last one."""


def list_page(
    ctx: Context, wanted: JobFilter, *, labels: Mapping[str, str] = NO_LABELS, limit: int = 50
) -> JobPage:
    """Return some jobs, newest first, from `wanted.before_id` on.

    With labels no more than MOST_LOOKED_AT jobs are looked at, so that a page may be short, or empty, and not the last.
    """
    if not labels:
        found = ctx.store.jobs.list(wanted, limit=limit + 1)
        return JobPage(jobs=found[:limit], before_id=found[limit - 1].id if len(found) > limit else None)
    looked_at = ctx.store.jobs.list(wanted, limit=MOST_LOOKED_AT)
    found = [job for job in looked_at if labels.items() <= job.frozen.labels.items()]
    if len(found) > limit:
        return JobPage(jobs=found[:limit], before_id=found[limit - 1].id)
    return JobPage(jobs=found, before_id=looked_at[-1].id if len(looked_at) == MOST_LOOKED_AT else None)


def attempts(ctx: Context, job: Job) -> Sequence[Attempt]:
    """Return the attempts of a job, oldest first."""
    return ctx.store.attempts.of_job(job.id)


def as_it_says(ctx: Context, job: Job) -> Job:
    """Return a job with what its running attempt has said so far, where that can be read from here."""
    if job.state is not JobState.PROCESSING:
        return job
    attempt = ctx.store.attempts.get(job.id, job.attempt)
    if attempt is None or attempt.output_file is None or attempt.outcome is not None:
        return job
    from queuectl.engine.output import said_name  # noqa: PLC0415  only where one runs
    from queuectl.engine.said import read_said  # noqa: PLC0415

    path = output_path(ctx, said_name(attempt.output_file))
    said = None if path is None else read_said(str(path), keep=True)
    return job if said is None else replace(job, said=said)


def cancel(ctx: Context, job: Job, *, reason: str | None = None) -> Job:
    """Waiting → cancelled; processing → its worker is asked to stop it. ConflictError when it is final already."""
    with ctx.store.transaction():
        changed = ctx.store.jobs.cancel(job.id, reason=reason or f"cancelled by {ctx.who}", now=ctx.now())
        if changed is None:
            state = current(ctx, job).state
            raise ConflictError(f"job {job.id} is {state} already, so there is nothing to cancel")
        return changed


def retry(ctx: Context, job: Job, *, as_was: bool = False) -> Job:
    """Run a job again, with its spec as it is now, or `as_was` when the job was made.

    Dead or cancelled → pending with failures at 0. Completed: a new job without a key. Failed → pending at once
    instead of after its backoff, as the job it is. ConflictError while it is pending, blocked, scheduled or runs.
    """
    with ctx.store.transaction():
        job = current(ctx, job)
        match job.state:
            case JobState.DEAD | JobState.CANCELLED:
                again = ctx.store.jobs.retry(job.id, *_frozen(ctx, job, as_was), now=ctx.now())
            case JobState.COMPLETED:
                again = _follow_up(ctx, job, as_was)
            case JobState.FAILED:
                again = ctx.store.jobs.hurry(job.id, now=ctx.now())
            case JobState.PROCESSING:
                raise ConflictError(f"job {job.id} is running now (attempt {job.attempt}); cancel it first")
            case _:
                raise ConflictError(f"job {job.id} is {job.state} and runs without a retry")
        return again or current(ctx, job)


def wait(
    ctx: Context,
    jobs: Iterable[Job],
    *,
    timeout_ms: int | None = None,
    progress: Callable[[Sequence[Job]], None] | None = None,
    sleep: Sleep = time.sleep,
) -> list[Job]:
    """Wait until all jobs are completed, dead or cancelled; give them back as they are then, in the given order.

    `progress` is called with all of them at first and whenever one has changed. WaitTimeoutError after
    `timeout_ms`; UnknownError when one is deleted meanwhile.
    """
    seen = {job.id: job for job in jobs}
    told: list[Job] = []

    def all_final() -> bool:
        nonlocal told
        seen.update({job.id: current(ctx, job) for job in seen.values() if job.state not in FINAL})
        if progress and told != (latest := list(seen.values())):
            told = latest
            progress(latest)
        return all(job.state in FINAL for job in seen.values())

    if not until(all_final, timeout_ms=timeout_ms, sleep=sleep):
        open_jobs = [job for job in seen.values() if job.state not in FINAL]
        more = f" (and {len(open_jobs) - 1} more)" if len(open_jobs) > 1 else ""
        raise WaitTimeoutError(f"job {open_jobs[0].id} is still {open_jobs[0].state}{more}")
    return list(seen.values())


def purge(
    ctx: Context,
    states: Collection[JobState] = PURGED_BY_DEFAULT,
    *,
    older_than_ms: int = 0,
    queue: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Forget the jobs of final states that ended so long ago, their attempts and outputs. Returns how many.

    Goes in batches, `progress` is told how many are gone; jobs that end meanwhile are left. UsageError for a state
    that isn't final.
    """
    if not_final := sorted(set(states) - FINAL):
        raise UsageError(
            f"{not_final[0]} jobs are not over, so they can't be purged; "
            f"expected {', '.join(sorted(FINAL))}; `cancel` ends a job"
        )
    before, gone = ctx.now() - older_than_ms, 0
    while forgotten := _purge_batch(ctx, states, before, queue):
        gone += forgotten
        if progress:
            progress(gone)
    return gone


def forget(ctx: Context, jobs: Iterable[Job], *, states: Collection[JobState] = FINAL) -> int:
    """Forget jobs of final states, their attempts and outputs, all or none. Returns how many.

    ConflictError for a job in another state than `states`.
    """
    with ctx.store.transaction():
        latest = [current(ctx, job) for job in jobs]
        if other := next((job for job in latest if job.state not in states), None):
            raise ConflictError(
                f"job {other.id} is {other.state}; only jobs that are {_either(states)} can be deleted"
            )
        count, outputs = _forget(ctx, [job.id for job in latest])
    _delete_outputs(ctx, outputs)
    return count


def current(ctx: Context, job: Job) -> Job:
    """Return the job as it is now. UnknownError when it was deleted meanwhile."""
    found = ctx.store.jobs.get(job.id)
    if found is None:
        raise UnknownError(f"job {job.id} is not there any more: it was purged meanwhile")
    return found


def output_path(ctx: Context, name: str) -> Path | None:
    """Return the path of an output in the log folder; None for a name that would lead out of it.

    Names come from the database, which may be damaged or forged.
    """
    plain = name not in {"", ".", ".."} and "/" not in name and "\0" not in name
    return ctx.log_dir / name if plain else None


def _unknown(ctx: Context, text: str) -> NoReturn:
    specs = ctx.store.specs.names()
    if text in specs:
        raise UnknownError(f"spec '{text}' has made no job yet; `queuectl trigger {text}` makes one")
    raise UnknownError(f"there is no job '{text}'{did_you_mean(text, [*specs, *ctx.store.jobs.keys()])}")


def _live_spec(ctx: Context, job: Job) -> StoredSpec | None:
    stored = ctx.store.specs.get(job.spec) if job.spec else None
    return None if stored is None or stored.pruned_at is not None or stored.damage else stored


def _frozen(ctx: Context, job: Job, as_was: bool) -> tuple[JobSpec, int | None]:
    """What a retry runs, and the version of the spec that it is."""
    stored = None if as_was else _live_spec(ctx, job)
    if stored is None:
        return job.frozen, job.spec_version
    try:
        return freeze(with_arguments_of(stored.spec, job.frozen), ctx.config), stored.version
    except ValueError as error:
        raise ConflictError(
            f"job {job.id}: its spec has other parameters now: {error}; --as-was runs it as it was"
        ) from None


def _follow_up(ctx: Context, job: Job, as_was: bool) -> Job | None:
    frozen, version = _frozen(ctx, job, as_was)
    now = ctx.now()
    new = NewJob(
        frozen=frozen,
        spec=job.spec,
        spec_version=version,
        state=JobState.PENDING,
        run_at=now,
        reason=f"retry of job {job.id}",
    )
    made = ctx.store.jobs.enqueue(at_gate(new), now=now)
    stored = _live_spec(ctx, job)
    if (
        made and stored and stored.done_digest
    ):  # a spec that runs once per version: this is its latest job now
        ctx.store.specs.mark_done(stored.name, digest=stored.done_digest, job_id=made.id)
    return made


def _purge_batch(ctx: Context, states: Collection[JobState], before: int, queue: str | None) -> int:
    with ctx.store.transaction():
        ids = ctx.store.history.finished(states, before=before, queue=queue, limit=BATCH)
        count, outputs = _forget(ctx, ids)
    _delete_outputs(ctx, outputs)
    return count


def _either(states: Collection[JobState]) -> str:
    return " or ".join(sorted(states))


def _forget(ctx: Context, ids: Sequence[int]) -> tuple[int, Sequence[str]]:
    """Delete rows, inside the caller's transaction. Returns how many jobs, and the outputs to delete after it."""
    ctx.store.jobs.leave_behind(ids, now=ctx.now())
    return ctx.store.history.forget(ids)


def _delete_outputs(ctx: Context, names: Iterable[str]) -> None:
    for name in names:
        if path := output_path(ctx, name):
            with suppress(OSError):  # gone, or out of reach: its job is forgotten all the same
                path.unlink()
