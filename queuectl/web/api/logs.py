"""Logs: what the attempts of a job wrote, at once or as it comes."""

from __future__ import annotations

import codecs
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Header, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from queuectl.model.job import Job
from queuectl.model.states import FINAL, Outcome
from queuectl.service import jobs, logs
from queuectl.service.context import opened
from queuectl.service.log_windows import Window, window_after
from queuectl.service.output_text import as_bytes, last_lines
from queuectl.web.api.answering import Answers
from queuectl.web.api.events import STREAM
from queuectl.web.api.reading import LONGEST_ID, JobName
from queuectl.web.asking import Queue, site_of
from queuectl.web.events import EventStream
from queuectl.web.following import CHUNK_BYTES, readers_of
from queuectl.web.live import TooManyWatchersError
from queuectl.web.site import Site
from queuectl.web.streams import Stream

router = APIRouter(prefix="/jobs/{job}/logs", tags=["logs"])

OfAttempt = Annotated[
    int | None, Query(ge=1, le=LONGEST_ID, description="Which attempt; else the latest.", examples=[1])
]
_TEXT: Answers = {
    200: {
        "description": "The bytes as they were written, which may be no UTF-8; a line stands where some were not kept.",
        "content": {"text/plain": {"schema": {"type": "string"}}},
    }
}


@router.get("", response_class=Response, responses=_TEXT)
def log(
    request: Request,
    ctx: Queue,
    name: JobName,
    attempt: OfAttempt = None,
    tail: Annotated[int | None, Query(ge=0, le=100_000, description="Only the last lines.")] = None,
) -> Response:
    """Return what an attempt has written until now."""
    job = jobs.find(ctx, name)
    number = logs.find_attempt(ctx, job, attempt).number
    return Stream(_written(site_of(request), job.id, number, tail), media_type="text/plain")


@router.get("/stream", response_class=EventStream, responses=STREAM)
async def follow(
    request: Request,
    name: JobName,
    attempt: OfAttempt = None,
    last: Annotated[
        str | None,
        Header(alias="Last-Event-ID", description="Where to go on: the id of the last event that came."),
    ] = None,
) -> Response:
    """Stream what an attempt writes: what it has written until now, then the rest as it comes.

    Events: `attempt` (data: `{"attempt": 1}`) as one begins; `output` (`{"text": "…"}`), whose id is where to go on
    after a lost connection; `end` (`{"state": "completed", "attempt": 1, "outcome": "succeeded"}`), then the stream
    ends. With an attempt given it ends with that one, else with the job; a job that hasn't run yet is waited for. What
    is no UTF-8 is replaced.
    """
    readers = readers_of(request)
    readers.check_room()
    if last == END:  # a browser that comes back by itself: there is nothing more
        return Response(status_code=HTTPStatus.NO_CONTENT)
    site = site_of(request)
    job_id, number = await run_in_threadpool(_first, site, name, attempt)
    number, start = _resumed(last, number)
    return EventStream(_events(request, job_id, number, start, all_of_job=attempt is None))


END = "end"
"""The id of the last event."""


def _written(site: Site, job_id: int, number: int, tail: int | None) -> Iterator[bytes]:
    with opened(str(site.database), create=False, overrides=site.overrides, environ=site.environ) as ctx:
        pieces = logs.pieces(ctx, jobs.find(ctx, str(job_id)), number)
        yield from as_bytes(pieces) if tail is None else last_lines(pieces, tail)


def _first(site: Site, name: str, attempt: int | None) -> tuple[int, int]:
    """Return the job and the attempt that a stream begins with. Errors while they can still be answered."""
    with opened(str(site.database), create=False, overrides=site.overrides, environ=site.environ) as ctx:
        job = jobs.find(ctx, name)
        if attempt is None and job.attempt == 0:
            return job.id, 1
        return job.id, logs.find_attempt(ctx, job, attempt).number


def _resumed(last: str | None, number: int) -> tuple[int, int]:
    """Return the attempt and the place in its output that an event's id names, else the start of `number`."""
    if found := re.fullmatch(r"([0-9]{1,9}):([0-9]{1,15})", last or ""):
        return int(found[1]), int(found[2])
    return number, 0


async def _events(
    request: Request, job_id: int, number: int, start: int, *, all_of_job: bool
) -> AsyncIterator[str]:
    yield "retry: 1000\n\n"
    with suppress(TooManyWatchersError):  # it came at the same time as others, and asks again
        async for event in _attempts(request, job_id, number, start, all_of_job=all_of_job):
            yield event


async def _attempts(
    request: Request, job_id: int, number: int, start: int, *, all_of_job: bool
) -> AsyncIterator[str]:
    readers, site = readers_of(request), site_of(request)
    while True:
        yield _event("attempt", {"attempt": number}, f"{number}:{start}")
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        async for window in readers.follow(partial(_look, site, job_id, number), start):
            if window is None:
                yield ":\n\n"
            elif text := "".join(decoder.decode(content) for content in as_bytes(window.pieces)):
                pending = len(decoder.getstate()[0])
                yield _event("output", {"text": text}, f"{number}:{window.end - pending}")
        ended = await run_in_threadpool(_ended, site, job_id, number)
        if ended is None:  # the server ends, or the job was deleted
            return
        job, outcome = ended
        if not all_of_job or (job.state in FINAL and number >= job.attempt):
            last = {"state": job.state, "attempt": number if outcome else None, "outcome": outcome}
            yield _event("end", last, END)
            return
        number, start = number + 1, 0


def _look(site: Site, job_id: int, number: int, place: int | None) -> Window:
    """Return what an attempt wrote from a place on; nothing, and not over, where it has not begun."""
    with opened(str(site.database), create=False, overrides=site.overrides, environ=site.environ) as ctx:
        start = place or 0
        found = ctx.store.attempts.get(job_id, number)
        if found is not None:
            return window_after(ctx, found, start, limit=CHUNK_BYTES)
        job = jobs.find(ctx, str(job_id))
        return Window(start=start, end=start, pieces=[], over=job.state in FINAL)


def _ended(site: Site, job_id: int, number: int) -> tuple[Job, Outcome | None] | None:
    """Return a job whose attempt has ended, or never was and never will be, and its outcome; None: neither is so."""
    with opened(str(site.database), create=False, overrides=site.overrides, environ=site.environ) as ctx:
        job, attempt = ctx.store.jobs.get(job_id), ctx.store.attempts.get(job_id, number)
        if job is None or (attempt.outcome is None if attempt else job.state not in FINAL):
            return None
        return job, attempt.outcome if attempt else None


def _event(name: str, data: dict[str, Any], event_id: str) -> str:
    return f"event: {name}\nid: {event_id}\ndata: {msgspec.json.encode(data).decode()}\n\n"
