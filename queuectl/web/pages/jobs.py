"""The jobs: find them page by page, and do something with many at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal
from urllib.parse import urlencode

import msgspec
from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from queuectl.model.errors import UnknownError, UsageError
from queuectl.model.states import JobState
from queuectl.rules.instants import parse_when
from queuectl.service import bulk
from queuectl.service.context import Context
from queuectl.service.filters import check_spec, remark_on_queue
from queuectl.service.job_search import Cursor, JobPage, Order, search
from queuectl.service.queues import list_queues
from queuectl.store.listing import JobFilter
from queuectl.web.asking import Queue
from queuectl.web.pages.acting import Sure, There, act, ask_first
from queuectl.web.pages.render import page
from queuectl.web.pages.shown import plural, tries, when

router = APIRouter()

What = Literal["cancel", "retry", "delete"]
MOST_SELECTED = 900
"""Of one form: more rows than a page has."""
_DO = {"cancel": bulk.cancel, "retry": bulk.retry, "delete": bulk.delete}
_DONE = {"cancel": "cancelled", "retry": "retried", "delete": "deleted"}
_KEPT = ("state", "spec", "queue", "text", "since", "sort")
ORDERS: dict[Order, str] = {
    "newest": "newest first",
    "oldest": "oldest first",
    "changed": "last changed first",
}
_WORD = Annotated[str, Query(max_length=200)]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the jobs are filtered by, as it stands in the address."""

    state: Sequence[JobState] = ()
    spec: str = ""
    queue: str = ""
    text: str = ""
    since: str = ""
    sort: Order = "newest"
    behind: int | None = None
    at: int = 0

    def address(self, **changes: object) -> str:
        """Return the query of a page with other filters; without `behind` it is the first one."""
        fields: dict[str, object] = {name: getattr(self, name) for name in _KEPT}
        fields |= changes
        fields = {name: value for name, value in fields.items() if (name, value) != ("sort", "newest")}
        return urlencode(
            [(name, value) for name, value in fields.items() if value not in {"", None, ()}], doseq=True
        )

    @property
    def is_any(self) -> bool:
        """Whether nothing is filtered."""
        return not (self.state or self.spec or self.queue or self.text or self.since)


@router.get("/jobs")
def show(
    request: Request,
    ctx: Queue,
    *,
    state: Annotated[list[JobState | Literal[""]] | None, Query()] = None,
    spec: _WORD = "",
    queue: _WORD = "",
    text: _WORD = "",
    since: _WORD = "",
    sort: Order = "newest",
    behind: Annotated[int | None, Query(ge=0, lt=2**63)] = None,
    at: Annotated[int, Query(ge=0, lt=2**63)] = 0,
) -> HTMLResponse:
    """Show a page of jobs."""
    asked = Asked(
        state=tuple(dict.fromkeys(one for one in state or () if one)),
        spec=spec.strip(),
        queue=queue,
        text=text.strip(),
        since=since.strip(),
        sort=sort,
        behind=behind,
        at=at,
    )
    cursor = None if behind is None else Cursor(id=behind, at=at)
    try:
        found = search(ctx, _wanted(ctx, asked), asked.text, order=sort, behind=cursor)
        wrong = remark_on_queue(ctx, asked.queue or None)
    except (UnknownError, UsageError) as error:
        found, wrong = JobPage(order=sort), str(error)
    return page(
        request,
        "jobs.html",
        asked=asked,
        found=found,
        wrong=wrong,
        counts=ctx.store.jobs.counts(),
        queues=[one.name for one in list_queues(ctx)],
        orders=ORDERS,
        when=when,
        tries=tries,
    )


@router.post("/jobs/selected")
def do(
    request: Request,
    ctx: Queue,
    *,
    what: Annotated[What, Form()],
    there: There = "",
    ids: Annotated[list[int] | None, Form(alias="id", max_length=MOST_SELECTED)] = None,
    sure: Sure = False,
) -> Response:
    """Cancel, retry or delete the selected jobs."""
    some = list(dict.fromkeys(ids or ()))
    if what == "delete" and some and not sure:
        question = f"Delete {plural(len(some), 'job')} for good, with attempts and output?"
        return ask_first(request, question, "Delete", id=[str(one) for one in some], what=what, next=there)
    return act(request, there, lambda: _do(ctx, what, some))


def _wanted(ctx: Context, asked: Asked) -> JobFilter:
    check_spec(ctx, asked.spec or None)
    try:
        since = parse_when(asked.since, zone=ctx.config.timezone, now_ms=ctx.now()) if asked.since else None
    except ValueError as error:
        raise UsageError(f"changed since: {error}") from None
    return JobFilter(
        states=asked.state or None,
        spec=asked.spec or None,
        queue=asked.queue or None,
        since=since,
    )


def _do(ctx: Context, what: What, ids: Sequence[int]) -> str:
    if not ids:
        raise UsageError("no job is selected; tick the boxes before the jobs")
    came = _DO[what](ctx, ids)
    said = f"{plural(came.done, 'job')} {_DONE[what]}"
    if not came.refused:
        return said
    more = f" (and {len(came.refused) - 3} more)" if len(came.refused) > 3 else ""
    text = f"{said}, {len(came.refused)} not: {'; '.join(came.refused[:3])}{more}"
    if not came.done:
        raise UsageError(text)
    return text
