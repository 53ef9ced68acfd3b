"""Logs: what an attempt wrote, from its file or its row; also while it is still writing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

from queuectl.engine.output import Gap, OutputReader, Piece
from queuectl.model.errors import ConflictError, StoreUnavailableError, UnknownError
from queuectl.model.job import Attempt, Job
from queuectl.model.states import FINAL
from queuectl.service.context import Context
from queuectl.service.jobs import current, output_path
from queuectl.service.waiting import Sleep

FOLLOW_S = 0.1
"""Between two looks at an output that is being written."""


def pieces(ctx: Context, job: Job, number: int | None = None) -> Iterator[Piece]:
    """Return what an attempt (None: the latest) wrote until now; a Gap stands where something wasn't kept.

    ConflictError when the job never ran; UnknownError, naming those that exist, when it has no such attempt.
    """
    return (piece for _, piece in written(ctx, find_attempt(ctx, job, number)))


def follow(
    ctx: Context,
    job: Job,
    number: int | None = None,
    *,
    until_final: bool = False,
    sleep: Sleep = time.sleep,
    on_attempt: Callable[[Attempt], None] = lambda _: None,
) -> Iterator[Piece]:
    """Yield what an attempt (None: the latest) writes, until it has ended.

    A job that hasn't run yet is waited for. With `until_final` later attempts follow until the job is final.
    `on_attempt` is called as each attempt begins. Errors as in `pieces`.
    """
    waits = number is None and current(ctx, job).attempt == 0
    attempt = _next_attempt(ctx, job, 1, sleep) if waits else find_attempt(ctx, job, number)
    while attempt is not None:
        on_attempt(attempt)
        yield from _follow_attempt(ctx, attempt, sleep)
        if not until_final:
            return
        attempt = _next_attempt(ctx, job, attempt.number + 1, sleep)


def find_attempt(ctx: Context, job: Job, number: int | None = None) -> Attempt:
    """Return an attempt of a job, the latest when `number` is None. Errors as in `pieces`."""
    job = current(ctx, job)
    number = job.attempt if number is None else number
    found = ctx.store.attempts.get(job.id, number) if 0 < number <= job.attempt else None
    if found is not None:
        return found
    numbers = [attempt.number for attempt in ctx.store.attempts.of_job(job.id)]
    if not numbers:
        raise ConflictError(f"job {job.id} has not run yet: it is {job.state}")
    there = f"attempt {numbers[0]}" if len(numbers) == 1 else f"attempts {numbers[0]} to {numbers[-1]}"
    raise UnknownError(f"job {job.id} has no attempt {number}; it has {there}")


def written(ctx: Context, attempt: Attempt, at: int = 0) -> Iterator[tuple[int, Piece]]:
    """Yield what an attempt wrote until now from byte `at` on, each piece with where it ends."""
    if attempt.outcome is None and (reader := _reader(ctx, attempt.output_file, at)):
        with reader:
            for piece in reader.read():
                if _has_ended(ctx, attempt):  # before that was read, maybe
                    break
                at = reader.offset
                yield at, piece
            else:
                return
    yield from _kept(ctx, ctx.store.attempts.get(attempt.job_id, attempt.number) or attempt, at)


def extent(ctx: Context, attempt: Attempt) -> tuple[int, Sequence[tuple[int, int]]]:
    """Return how many bytes an attempt has written until now, and from where to where some of them were not kept."""
    if reader := _reader(ctx, attempt.output_file):
        with reader:
            found = reader.extent()
        if attempt.outcome is not None or not _has_ended(ctx, attempt):
            return found
        return extent(ctx, ctx.store.attempts.get(attempt.job_id, attempt.number) or attempt)
    size, missing = attempt.output_bytes, attempt.output_bytes - len(attempt.output)
    return size, [(0, missing)] if missing > 0 else []


def _has_ended(ctx: Context, attempt: Attempt) -> bool:
    """Whether what was read of an attempt's file just now may be another's, which writes to it next."""
    latest = ctx.store.attempts.get(attempt.job_id, attempt.number)
    return latest is None or latest.outcome is not None


def _kept(ctx: Context, attempt: Attempt, at: int = 0) -> Iterator[tuple[int, Piece]]:
    """The output of an attempt that has ended, from byte `at` on: its file, else what is in the row."""
    if attempt.outcome is not None and (reader := _reader(ctx, attempt.output_file, at)):
        with reader:
            yield from ((reader.offset, piece) for piece in reader.read())
        return
    start = max(0, attempt.output_bytes - len(attempt.output))
    if at > attempt.output_bytes:  # the job emptied its file (`> /dev/stdout`)
        at = 0
    if start > at:
        yield start, Gap(start - at)
    if rest := attempt.output[max(0, at - start) :]:
        yield attempt.output_bytes, rest


def _reader(ctx: Context, name: str | None, at: int = 0) -> OutputReader | None:
    path = output_path(ctx, name or "")
    try:
        return OutputReader(path, at) if path else None
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StoreUnavailableError(f"can't read {path}: {error.strerror}") from None


def _next_attempt(ctx: Context, job: Job, number: int, sleep: Sleep) -> Attempt | None:
    """Wait for an attempt to start; None when the job is final without it."""
    while True:
        if attempt := ctx.store.attempts.get(job.id, number):
            return attempt
        if current(ctx, job).state in FINAL:
            return None
        sleep(FOLLOW_S)


def _follow_attempt(ctx: Context, attempt: Attempt, sleep: Sleep) -> Iterator[Piece]:
    at = 0
    with ExitStack() as stack:
        reader: OutputReader | None = None
        while not _has_ended(ctx, attempt):
            if reader is None and (reader := _reader(ctx, attempt.output_file)):
                stack.enter_context(reader)
            for piece in reader.read() if reader else ():
                if _has_ended(ctx, attempt):  # before that was read, maybe
                    break
                yield piece
                at = reader.offset if reader else 0
            sleep(FOLLOW_S)
    if latest := ctx.store.attempts.get(attempt.job_id, attempt.number):
        yield from (piece for _, piece in _kept(ctx, latest, at))
