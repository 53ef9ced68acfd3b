"""Short ways to write spec files, apply them, and bring jobs into a state."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from msgspec.structs import replace

from queuectl.model.job import AttemptEnd, Job
from queuectl.model.states import JobState, Outcome
from queuectl.rules.transitions import after_attempt
from queuectl.service.apply import Applied, apply
from queuectl.service.context import Context


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """Make `folder` hold these files and no others."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def apply_files(ctx: Context, folder: Path, files: Mapping[str, str], *, prune: bool = False) -> Applied:
    """Apply a folder that holds these files."""
    return apply(ctx, [write(folder, files)], prune=prune)


def newest(ctx: Context, spec: str) -> Job:
    """Return the spec's newest job as it is now."""
    job = ctx.store.jobs.newest_of_spec(spec)
    assert job is not None
    return job


def run_to(ctx: Context, state: JobState, spec: str) -> Job:
    """Bring the spec's newest job, which is pending, into a state by the verbs that lead there."""
    if state is JobState.PENDING:
        return newest(ctx, spec)
    if state is JobState.CANCELLED:
        ctx.store.jobs.cancel(newest(ctx, spec).id, reason="by hand", now=ctx.now())
        return newest(ctx, spec)
    (job,) = ctx.store.jobs.claim(worker="w", host="h", queues=(), outputs=("out",), idle=True, now=ctx.now())
    assert job.spec == spec
    if state is not JobState.PROCESSING:
        finish(ctx, job, state)
    return newest(ctx, spec)


def finish(ctx: Context, job: Job, state: JobState) -> None:
    """End the attempt of a processing job so that it is completed, failed or dead."""
    end = AttemptEnd(outcome=Outcome.SUCCEEDED, exit_code=0)
    if state is not JobState.COMPLETED:
        end = AttemptEnd(outcome=Outcome.FAILED, exit_code=1)
    transition = after_attempt(job, end, now=ctx.now(), random=0.5)
    if state is JobState.DEAD:
        transition = replace(transition, state=JobState.DEAD, run_at=None)
    assert ctx.store.jobs.finish(job, end, transition, now=ctx.now())
