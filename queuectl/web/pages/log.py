"""The log: what an attempt wrote, its end first, the rest by pages, and on and on while it runs."""

from __future__ import annotations

import codecs
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Annotated

import msgspec
from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool

from queuectl.engine.output import Gap
from queuectl.model.job import Attempt, Job
from queuectl.rules.units import format_size
from queuectl.service import jobs, logs
from queuectl.service.context import Context, opened
from queuectl.service.log_windows import Window, window_after, window_before
from queuectl.service.output_text import as_bytes
from queuectl.web.ansi import Painter
from queuectl.web.asking import Queue, site_of
from queuectl.web.events import EventStream
from queuectl.web.following import look_at, readers_of
from queuectl.web.live import TooManyWatchersError
from queuectl.web.pages.render import LIVE, page
from queuectl.web.streams import Stream

router = APIRouter()

TAIL_BYTES, TAIL_LINES = 256 << 10, 2_000
"""Of a page of the log, whichever is less."""
PEEK_BYTES, PEEK_LINES = 64 << 10, 500
"""Of what the page of a job shows."""

Number = Annotated[int | None, Query(alias="attempt", ge=1, le=2**31)]
Place = Annotated[int | None, Query(ge=0, lt=2**63)]
JobId = Annotated[int, Query(ge=0, lt=2**63)]


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """What a template shows of an output."""

    attempt: Attempt
    html: Markup
    start: int
    end: int
    from_start: bool
    to_end: bool
    """Nothing follows but what is written from now on."""
    blank: bool
    """What is there is asked for by the script: it asks for the page again and again, and keeps the log."""

    @property
    def nothing(self) -> bool:
        """Whether nothing was written, and nothing will be."""
        return self.attempt.outcome is not None and self.attempt.output_bytes == 0

    @property
    def running(self) -> bool:
        """Whether more comes."""
        return self.attempt.outcome is None


@router.get("/jobs/{job_id}/log")
def show(
    request: Request,
    ctx: Queue,
    job_id: int,
    *,
    attempt: Number = None,
    before: Place = None,
    after: Place = None,
) -> HTMLResponse:
    """Show a page of an output: its end, or what stands before or after a place."""
    job = jobs.get_job(ctx, job_id)
    found = logs.find_attempt(ctx, job, attempt)
    if after is None:
        window = window_before(ctx, found, before, limit=TAIL_BYTES, lines=TAIL_LINES)
    else:
        window = window_after(ctx, found, after, limit=TAIL_BYTES)
    size, _ = logs.extent(ctx, found)
    log = _log(found, window, to_end=window.end >= size)
    return page(request, "log.html", job=job, log=log)


@router.get("/jobs/{job_id}/log/live")
async def live(
    request: Request,
    job_id: int,
    attempt: Annotated[int, Query(ge=1, le=2**31)],
    after: Place = None,
    last_event_id: Annotated[str | None, Header()] = None,
) -> EventStream:
    """Say what an attempt writes, as HTML, from a place on (none: its end first); `over` when it has ended."""
    readers, look = readers_of(request), look_at(request, job_id, attempt, tail=PEEK_BYTES)
    readers.check_room()
    known = last_event_id is not None and last_event_id.isdecimal() and len(last_event_id) < 19
    start = int(last_event_id or 0) if known else after
    await run_in_threadpool(look, start)  # what is wrong can still be answered
    return EventStream(_events(readers.follow(look, start)))


@router.get("/jobs/{job_id}/log/raw")
def raw(request: Request, ctx: Queue, job_id: int, attempt: Number = None) -> Stream:
    """Return an output as it was written, to keep."""
    found = logs.find_attempt(ctx, jobs.get_job(ctx, job_id), attempt)
    name = f"job-{found.job_id}-attempt-{found.number}.log"
    return Stream(
        _raw(request, found),
        media_type="text/plain; charset=utf-8",
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )


def peek(request: Request, ctx: Context, job: Job, number: int | None) -> Log | None:
    """Return the end of an output, for the page of its job; None where it has not run."""
    if job.attempt == 0:
        return None
    attempt = logs.find_attempt(ctx, job, number)
    if LIVE in request.headers:
        nothing = Window(start=0, end=0, pieces=(), over=False)
        return _log(attempt, nothing, to_end=True, blank=True)
    window = window_before(ctx, attempt, limit=PEEK_BYTES, lines=PEEK_LINES)
    return _log(attempt, window, to_end=True)


def _log(attempt: Attempt, window: Window, *, to_end: bool, blank: bool = False) -> Log:
    text = _Text()
    follows = to_end and attempt.outcome is None
    return Log(
        attempt=attempt,
        html=text.html(window, last=not follows),
        start=window.start,
        end=window.end - text.pending,
        from_start=window.start == 0,
        to_end=to_end,
        blank=blank,
    )


class _Text:
    """Output as HTML, piece by piece."""

    def __init__(self) -> None:
        self._painter = Painter()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def html(self, window: Window, *, last: bool) -> Markup:
        """Return the next window; what is unfinished at its end waits for the next one unless it is the last."""
        parts = []
        for piece in window.pieces:
            if isinstance(piece, Gap):
                parts.append(self._painter.paint(self._decoder.decode(b"", final=True), last=True))
                parts.append(
                    Markup('<span class="gap">… {} not kept …</span>').format(format_size(piece.size))
                )
            else:
                parts.append(self._painter.paint(self._decoder.decode(piece)))
        if last:
            parts.append(self._painter.paint(self._decoder.decode(b"", final=True), last=True))
        return Markup("").join(parts)

    @property
    def pending(self) -> int:
        """Bytes at the end that wait for what follows them."""
        return self._painter.pending + len(self._decoder.getstate()[0])


async def _events(windows: AsyncIterator[Window | None]) -> AsyncIterator[str]:
    yield "retry: 1000\n\n"
    with suppress(TooManyWatchersError):  # it came at the same time as others, and asks again
        async for event in _written(windows):
            yield event


async def _written(windows: AsyncIterator[Window | None]) -> AsyncIterator[str]:
    text = _Text()
    async for window in windows:
        if window is None:
            yield ":\n\n"
            continue
        # Not here: what is all escapes takes a second, and nobody else would be answered meanwhile.
        html = await run_in_threadpool(text.html, window, last=window.over)
        if html:
            lines = "".join(f"data:{line}\n" for line in f"{window.start}\n{html}".split("\n"))
            yield f"id: {window.end - text.pending}\nevent: written\n{lines}\n"
        if window.over:
            yield "event: over\ndata:\n\n"


def _raw(request: Request, attempt: Attempt) -> Iterator[bytes]:
    site = site_of(request)
    with opened(str(site.database), create=False, overrides=site.overrides, environ=site.environ) as ctx:
        job = jobs.get_job(ctx, attempt.job_id)
        yield from as_bytes(logs.pieces(ctx, job, attempt.number))
