"""The dead letters: in groups of one spec and one error; retry or discard one, a group, or all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, TypeVar
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from queuectl.model.errors import UsageError
from queuectl.service import dead_groups, dead_letters
from queuectl.service.context import Context
from queuectl.service.dead_groups import Kind, Redriven
from queuectl.service.jobs import get_job
from queuectl.web.asking import Queue
from queuectl.web.pages.acting import Sure, There, act, ask_first
from queuectl.web.pages.render import page
from queuectl.web.pages.shown import plural

router = APIRouter()
T = TypeVar("T")

PAGE_GROUPS = 50
PAGE_JOBS = 50
What = Literal["retry", "discard"]
_TEXT = Annotated[str, Query(max_length=200)]
_PART = Annotated[str | None, Query(max_length=1000)]
_FIELD = Annotated[str, Form(max_length=1000)]
_NUMBER = Annotated[int, Query(alias="page", ge=1, le=10_000)]
_DONE = {"retry": "retried", "discard": "discarded"}


@router.get("/dead")
def show(request: Request, ctx: Queue, text: _TEXT = "", number: _NUMBER = 1) -> HTMLResponse:
    """Show the groups, that of what died last first."""
    found, text = dead_groups.groups(ctx), text.strip()
    wanted = [group for group in found.groups if _mentions(group.kind, text)]
    shown, more = _piece(wanted, number, PAGE_GROUPS)
    return page(
        request,
        "dead.html",
        found=found,
        groups=shown,
        said=dead_groups.last_words(ctx, [group.ids[0] for group in shown]),
        text=text,
        number=number,
        more=more,
        address=lambda at: urlencode({"text": text, "page": at} if text else {"page": at}),
        fields=_fields,
        in_address=lambda kind: urlencode(_fields(kind)),
    )


@router.get("/dead/group")
def show_group(
    request: Request,
    ctx: Queue,
    *,
    spec: _PART = None,
    command: _PART = None,
    error: _PART = None,
    number: _NUMBER = 1,
) -> HTMLResponse:
    """Show the jobs of a group."""
    kind = Kind(spec=spec or None, command=command, error=error or "")
    found = dead_groups.groups(ctx)
    group = next((one for one in found.groups if one.kind == kind), None)
    ids, more = _piece(group.ids if group else (), number, PAGE_JOBS)
    jobs = [job for job_id in ids if (job := ctx.store.jobs.get(job_id))]
    return page(
        request,
        "dead_group.html",
        kind=kind,
        group=group,
        found=found,
        jobs=jobs,
        said=dead_groups.last_words(ctx, ids),
        number=number,
        more=more,
        address=lambda at: urlencode({**_fields(kind), "page": at}),
        fields=_fields,
    )


@router.post("/dead/group")
def do_group(
    request: Request,
    ctx: Queue,
    *,
    what: Annotated[What, Form()],
    spec: _FIELD = "",
    command: Annotated[str | None, Form(max_length=1000)] = None,
    error: _FIELD = "",
    there: There = "",
    sure: Sure = False,
) -> Response:
    """Retry or discard all that is dead of a group."""
    kind = Kind(spec=spec or None, command=command, error=error)
    if what == "discard" and not sure:
        question = f"Discard all dead jobs of {kind.name} ({kind.error}), with attempts and output?"
        return ask_first(request, question, "Discard", what=what, next=there, **_fields(kind))
    use_case = dead_groups.retry if what == "retry" else dead_groups.forget
    return act(request, there, lambda: _said(use_case(ctx, kind), what))


@router.post("/dead/all")
def do_all(
    request: Request, ctx: Queue, *, what: Annotated[What, Form()], there: There = "", sure: Sure = False
) -> Response:
    """Retry or discard all that is dead."""
    if not sure:
        question = {
            "retry": "Run all dead jobs again?",
            "discard": "Discard all dead jobs, with attempts and output?",
        }[what]
        return ask_first(request, question, what.capitalize(), what=what, next=there)
    use_case = dead_groups.retry if what == "retry" else dead_groups.forget
    return act(request, there, lambda: _said(use_case(ctx, None), what))


@router.post("/dead/{job_id}")
def do_one(
    request: Request,
    ctx: Queue,
    job_id: int,
    *,
    what: Annotated[What, Form()],
    there: There = "",
    sure: Sure = False,
) -> Response:
    """Retry or discard one dead job."""
    if what == "discard" and not sure:
        question = f"Discard job {job_id}, with attempts and output?"
        return ask_first(request, question, "Discard", what=what, next=there)
    return act(request, there, lambda: _do_one(ctx, job_id, what))


def _mentions(kind: Kind, text: str) -> bool:
    return text.lower() in f"{kind.name}\n{kind.error}".lower()


def _piece(all_: Sequence[T], number: int, size: int) -> tuple[Sequence[T], bool]:
    """Return a page of what there is, and whether there is another one."""
    first = (number - 1) * size
    return all_[first : first + size], len(all_) > first + size


def _fields(kind: Kind) -> dict[str, str]:
    """Return a kind as an address or a form has it."""
    named = {"spec": kind.spec, "command": kind.command, "error": kind.error}
    return {name: value for name, value in named.items() if value is not None}


def _said(came: Redriven, what: What) -> str:
    text = f"{plural(came.done, 'job')} {_DONE[what]}"
    if came.refused is None:
        return text
    if not came.done:
        raise UsageError(came.refused)
    return f"{text}; others stayed: {came.refused}"


def _do_one(ctx: Context, job_id: int, what: What) -> str:
    job = get_job(ctx, job_id)
    if what == "discard":
        dead_letters.forget(ctx, [job])
        return f"job {job_id} is discarded"
    (again,) = dead_letters.retry(ctx, [job])
    return f"job {job_id} is {again.state}"
