"""Why a job or a spec does not run just now: the one reason, and what would change it."""

from __future__ import annotations

import os
from collections.abc import Sequence

import msgspec

from queuectl.model.fire import StoredSpec
from queuectl.model.flow import JobNeed
from queuectl.model.job import Job
from queuectl.model.states import FINAL, WAITING, BlockedBy, JobState
from queuectl.model.worker import QueueInfo
from queuectl.rules.instants import format_instant
from queuectl.rules.params import has_to_be_set
from queuectl.rules.rates import format_rate
from queuectl.service import workers
from queuectl.service.context import Context
from queuectl.service.jobs import find
from queuectl.service.workers import SeenWorker
from queuectl.store.jobs import is_quarantined


class Why(msgspec.Struct, frozen=True, kw_only=True):
    """One reason."""

    what: str
    """What it is said of: `job 12`, `spec nightly-dump`."""
    reason: str
    advice: str
    """What would change it; a command where there is one."""


def why(ctx: Context, text: str) -> Why:
    """Say why the job or spec that `text` names does not run now. UnknownError names the nearest one.

    A spec is meant where it has no open job.
    """
    with ctx.store.transaction():
        stored = ctx.store.specs.get(text)
        if stored is not None and not ctx.store.jobs.open_of_spec(text):
            return _of_spec(ctx, stored)
        return why_job(ctx, find(ctx, text))


def why_job(ctx: Context, job: Job) -> Why:
    """Say why a job does not run now, or that it does."""
    reason, advice = _of_job(ctx, job)
    return Why(what=f"job {job.id}", reason=reason, advice=advice)


def _of_job(ctx: Context, job: Job) -> tuple[str, str]:
    number = job.id
    if job.state in WAITING and (unwritable := _unwritable(ctx)):
        return unwritable
    match job.state:
        case JobState.PROCESSING:
            return _running(ctx, job)
        case JobState.SCHEDULED:
            return (
                f"it is due at {format_instant(job.run_at)}",
                f"wait, or give it up: queuectl cancel {number}",
            )
        case JobState.FAILED:
            when = format_instant(job.run_at)
            return f"{job.reason}; the next try is at {when}", f"try at once: queuectl retry {number}"
        case JobState.BLOCKED:
            return _blocked(ctx, job)
        case JobState.PENDING:
            return _pending(ctx, job)
        case JobState.COMPLETED:
            return "it has completed", f"run it again: queuectl retry {number}"
        case _:
            return f"it is {job.state}: {job.reason}", f"run it again: queuectl retry {number}"


def _unwritable(ctx: Context) -> tuple[str, str] | None:
    """Say that no worker can write to the queue: there is none, and none could be started from here."""
    if os.access(ctx.path, os.W_OK) and os.access(ctx.path.parent, os.W_OK):
        return None
    if any(one.condition != "dead" for one in workers.list_workers(ctx)):
        return None  # whoever asks may only read, but somebody works on it
    return (
        f"the store is read-only: {ctx.path} or its folder can't be written",
        "make them writable, then: queuectl run",
    )


def _running(ctx: Context, job: Job) -> tuple[str, str]:
    seen = next((one for one in workers.list_workers(ctx) if one.worker.id == job.worker), None)
    if seen is None or seen.condition == "dead":
        return (
            f"its worker died during attempt {job.attempt}",
            "it comes back as soon as a worker looks: queuectl run",
        )
    if job.cancel_requested_at is not None:
        return "it runs, and its worker is stopping it", "wait"
    return f"it runs: attempt {job.attempt}", f"watch it: queuectl logs {job.id} -f"


def _blocked(ctx: Context, job: Job) -> tuple[str, str]:
    if job.blocked_by is BlockedBy.NEEDS:
        return _needing(ctx, [need for need in ctx.store.flows.needs_of(job.id) if not need.met])
    if job.blocked_by is BlockedBy.GATE:
        return _at_gate(ctx, job)
    before = [one for one in ctx.store.jobs.in_the_way_of(job.spec or "") if one.id < job.id]
    if not before:
        return "nothing is in its way any more", "it goes on as soon as a worker looks: queuectl run"
    first = before[0]
    return (
        f"it waits for job {first.id}, which is {first.state}",
        f"see why that one takes: queuectl why {first.id}",
    )


def _needing(ctx: Context, unmet: Sequence[JobNeed]) -> tuple[str, str]:
    if not unmet:
        return "all it needs is there", "it goes on as soon as a worker looks: queuectl run"
    for need in unmet:
        if need.needs_id is None:
            return (
                f"it needs {need.spec}, which nothing has started",
                f"start that: queuectl trigger {need.spec}",
            )
        needed = ctx.store.jobs.get(need.needs_id)
        name = _named(need)
        if needed is None:
            return (
                f"it needs {name}, which was deleted",
                f"it can't go on, so give it up: queuectl cancel {need.job_id}",
            )
        if needed.state in FINAL:
            return f"it needs {name}, which is {needed.state}", f"run that again: queuectl retry {needed.id}"
    first = unmet[0]
    more = f" and {len(unmet) - 1} more" if len(unmet) > 1 else ""
    last = _end_of_chain(ctx, first)
    if last is None or last.id == first.needs_id:
        return f"it needs {_named(first)}{more}", f"see why that one takes: queuectl why {first.needs_id}"
    over = last.state in FINAL
    chain = f"it needs {_named(first)}{more}, and that in the end job {last.id}" + (
        f" ({last.spec})" if last.spec else ""
    )
    return (
        (f"{chain}, which is {last.state}", f"run that again: queuectl retry {last.id}")
        if over
        else (chain, f"see why that one takes: queuectl why {last.id}")
    )


def _end_of_chain(ctx: Context, need: JobNeed) -> Job | None:
    """Return the job that holds up a chain of needs, where that one waits for no other job."""
    job = ctx.store.jobs.get(need.needs_id or 0)
    while job and job.state is JobState.BLOCKED and job.blocked_by is BlockedBy.NEEDS:
        unmet = [one.needs_id for one in ctx.store.flows.needs_of(job.id) if not one.met]
        needed = [found for one in unmet if one and (found := ctx.store.jobs.get(one))]
        job = min(needed, key=lambda one: one.state not in FINAL, default=None)
    return job


def _named(need: JobNeed) -> str:
    return f"job {need.needs_id}" + (f" ({need.spec})" if need.spec else "")


def _at_gate(ctx: Context, job: Job) -> tuple[str, str]:
    concurrency = job.frozen.concurrency
    holders = ctx.store.gates.holders(job.id) if concurrency else []
    if concurrency and len(holders) >= concurrency.limit:
        shown = ", ".join(map(str, holders[:5])) + (" …" if len(holders) > 5 else "")
        taken = "the slot is" if concurrency.limit == 1 else f"all {concurrency.limit} slots are"
        jobs = "job" if len(holders) == 1 else "jobs"
        return f"{taken} taken by {jobs} {shown}", f"wait, or end one: queuectl cancel {holders[0]}"
    if job.frozen.rate_us is not None:
        start = ctx.store.gates.next_start_of(job.spec or "")
        when = (
            f"the next starts at {format_instant(start)}"
            if start and start > ctx.now()
            else "another comes first"
        )
        return f"its spec starts at most {format_rate(job.frozen.rate_us)}; {when}", "wait, or raise its rate"
    return "a slot is free", "it goes on as soon as a worker looks: queuectl run"


def _pending(ctx: Context, job: Job) -> tuple[str, str]:
    queue = next(one for one in ctx.store.queues.list() if one.name == job.queue)
    if queue.paused_at is not None:
        who = f"queue {queue.name} was paused by {queue.paused_by}"
        return who + (
            f": {queue.pause_reason}" if queue.pause_reason else ""
        ), f"queuectl queue resume {queue.name}"
    if limited := _limited(ctx, queue):
        return limited
    seen = workers.list_workers(ctx)
    alive = [one for one in seen if one.condition != "dead"]
    serving = [one for one in alive if not one.worker.queues or job.queue in one.worker.queues]
    if not alive:
        return "there is no worker", "start one: queuectl run"
    if not serving:
        return f"no worker serves queue {job.queue}", f"start one: queuectl run --queue {job.queue}"
    return _of_workers(job, serving)


def _limited(ctx: Context, queue: QueueInfo) -> tuple[str, str] | None:
    change = f"change that: queuectl queue limit {queue.name}"
    if queue.running_limit is not None and queue.processing >= queue.running_limit:
        return f"queue {queue.name} runs {queue.running_limit} at once, and so many run", f"wait, or {change}"
    if queue.next_us is not None and queue.interval_us is not None and queue.next_us > ctx.now() * 1000:
        when = format_instant(-(-queue.next_us // 1000))
        return (
            f"queue {queue.name} starts {format_rate(queue.interval_us)}; the next at {when}",
            f"wait, or {change}",
        )
    return None


def _of_workers(job: Job, serving: Sequence[SeenWorker]) -> tuple[str, str]:
    working = [one for one in serving if one.worker.paused_at is None and one.worker.stop is None]
    if not working:
        paused = any(one.worker.paused_at is not None for one in serving)
        state, advice = (
            ("paused", "queuectl worker resume") if paused else ("stopping", "start another: queuectl run")
        )
        return f"every worker that serves queue {job.queue} is {state}", advice
    if is_quarantined(job):
        return (
            f"workers died under it {job.losses} times, so it runs alone, when one has nothing else to do",
            "wait, or start a worker for it: queuectl run",
        )
    if all(one.worker.running >= one.worker.slots for one in working):
        slots = sum(one.worker.slots for one in working)
        busy = "the one slot of the worker is" if slots == 1 else f"all {slots} slots of the workers are"
        return f"{busy} busy", "wait, or start another worker: queuectl run"
    return "it is about to start", "wait a moment; else see that the workers are well: queuectl doctor"


def _of_spec(ctx: Context, stored: StoredSpec) -> Why:
    reason, advice = _reason_of_spec(ctx, stored)
    return Why(what=f"spec {stored.name}", reason=reason, advice=advice)


def _reason_of_spec(ctx: Context, stored: StoredSpec) -> tuple[str, str]:
    name, spec = stored.name, stored.spec
    trigger = f"queuectl trigger {name}"
    if stored.damage is not None:
        return stored.damage, f"apply its file again: {stored.file}"
    if stored.pruned_at is not None:
        return f"it was pruned at {format_instant(stored.pruned_at)}", f"apply its file again: {stored.file}"
    if spec.paused:
        return (
            f"its file pauses it: {stored.file}",
            f"take `paused: true` out and apply it; or once: {trigger}",
        )
    if stored.paused_at is not None:
        who = f"it was paused by {stored.paused_by} at {format_instant(stored.paused_at)}"
        return who + (
            f": {stored.pause_reason}" if stored.pause_reason else ""
        ), f"queuectl spec resume {name}"
    last = ctx.store.jobs.newest_of_spec(name)
    if spec.schedule is None and last is not None and last.state is JobState.DEAD:
        return f"its last job {last.id} is dead: {last.reason}", f"run that again: queuectl retry {last.id}"
    if spec.needs:
        return f"it runs after {', '.join(map(str, spec.needs))}", f"trigger that; or it alone: {trigger}"
    if stored.next_fire_at is not None:
        return f"it fires next at {format_instant(stored.next_fire_at)}", f"run it now: {trigger}"
    if has_to_be_set(spec):
        return "it has parameters that have to be set", f"{trigger} --set NAME=VALUE"
    if last is None:
        return "it has no job", f"run it: {trigger}"
    return f"it runs once, and job {last.id} is {last.state}", f"run it again: {trigger}"
