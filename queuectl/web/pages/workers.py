"""The workers: which live, what they run; and the queues that they serve. Pause, resume and stop them."""

from __future__ import annotations

from collections import defaultdict
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from queuectl.model.job import Job
from queuectl.model.states import JobState
from queuectl.model.worker import Worker
from queuectl.rules.limits import MAX_REASON_LENGTH
from queuectl.rules.rates import format_rate
from queuectl.service import queues, workers
from queuectl.service.context import Context
from queuectl.service.jobs import list_jobs
from queuectl.store.listing import JobFilter
from queuectl.web.asking import Queue
from queuectl.web.pages.acting import Sure, There, act, ask_first
from queuectl.web.pages.render import page
from queuectl.web.pages.shown import plural

router = APIRouter()

MOST_RUNNING = 500
"""Jobs that are shown with their workers."""
What = Literal["pause", "resume", "stop", "stop-now"]
_RUNNING = JobFilter(states=frozenset({JobState.PROCESSING}))
_QUEUE = Annotated[str, Form(max_length=100)]
_ID = Annotated[str, Form(alias="worker", max_length=100)]
Reason = Annotated[str, Form(max_length=MAX_REASON_LENGTH)]


@router.get("/workers")
def show(request: Request, ctx: Queue) -> HTMLResponse:
    """Show the workers with what they run, and the queues."""
    running: dict[str | None, list[Job]] = defaultdict(list)
    for job in list_jobs(ctx, _RUNNING, limit=MOST_RUNNING):
        running[job.worker].append(job)
    seen = workers.list_workers(ctx)
    return page(
        request,
        "workers.html",
        workers=seen,
        slots=sum(one.worker.slots for one in seen if one.condition != "dead"),
        busy=sum(one.worker.running for one in seen),
        running=running,
        queues=queues.list_queues(ctx),
        rate=format_rate,
        longest_reason=MAX_REASON_LENGTH,
    )


@router.post("/workers")
def do(
    request: Request,
    ctx: Queue,
    *,
    what: Annotated[What, Form()],
    worker: _ID = "",
    there: There = "",
    sure: Sure = False,
) -> Response:
    """Pause, resume or stop one worker, or all where none is named."""
    if what.startswith("stop") and not sure:
        whom = f"worker {worker[:8]}" if worker else "all workers"
        how = (
            "at once; what runs is terminated and runs again"
            if what == "stop-now"
            else "as soon as what runs is done"
        )
        return ask_first(request, f"Stop {whom}, {how}?", "Stop", what=what, worker=worker, next=there)
    return act(request, there, lambda: _do(ctx, what, worker))


@router.post("/queues/pause")
def pause_queue(
    request: Request, ctx: Queue, queue: _QUEUE, there: There = "", reason: Reason = ""
) -> Response:
    """Let workers take nothing more from a queue."""

    def use_case() -> str:
        why = " ".join(reason.split())
        queues.pause(ctx, queue, reason=why or None)
        return f"queue {queue} is paused" + (f": {why}" if why else "")

    return act(request, there, use_case)


@router.post("/queues/resume")
def resume_queue(request: Request, ctx: Queue, queue: _QUEUE, there: There = "") -> Response:
    """Let workers take from a queue again."""
    return act(request, there, lambda: f"queue {queues.resume(ctx, queue).name} is resumed")


def _do(ctx: Context, what: What, worker: str) -> str:
    one = workers.find(ctx, worker) if worker else None
    match what:
        case "pause":
            return _told(one, workers.pause(ctx, one), "paused")
        case "resume":
            return _told(one, workers.resume(ctx, one), "resumed")
        case _:
            asked = workers.stop(ctx, one, now=what == "stop-now").asked
            return _told(one, len(asked), "asked to stop")


def _told(one: Worker | None, count: int, done: str) -> str:
    return f"worker {one.id[:8]} is {done}" if one else f"{plural(count, 'worker')} {done}"
