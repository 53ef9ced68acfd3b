"""The specs: when each fires, how it has done of late; run, pause and resume them."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlencode

import msgspec
from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from queuectl.model.fire import SpecKind, StoredSpec
from queuectl.model.spec import schedule_zone
from queuectl.rules.limits import MAX_REASON_LENGTH
from queuectl.rules.params import has_to_be_set
from queuectl.rules.schedule import describe_schedule
from queuectl.service import specs
from queuectl.service.context import Context
from queuectl.service.records import spec_page
from queuectl.web.asking import Queue
from queuectl.web.charts.squares import squares
from queuectl.web.pages.acting import There, act
from queuectl.web.pages.render import page

router = APIRouter()

PAGE_SPECS = 50
SET = "set."
"""What the fields of parameters begin with."""
_MOST_FIELDS = 500
_KINDS: tuple[tuple[SpecKind | None, str], ...] = (
    (None, "all"),
    ("scheduled", "scheduled"),
    ("paused", "paused"),
    ("orphaned", "not in the files"),
)
Reason = Annotated[str, Form(max_length=MAX_REASON_LENGTH)]
_TEXT = Annotated[str, Query(max_length=200)]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the specs are filtered by, as it stands in the address."""

    text: str = ""
    kind: SpecKind | None = None
    after: str = ""

    def address(self, **changes: str | None) -> str:
        """Return the query of a page with other filters; without `after` it is the first one."""
        fields = {"text": self.text, "kind": self.kind} | changes
        return urlencode([(name, value) for name, value in fields.items() if value])


@router.get("/specs")
def show(
    request: Request,
    ctx: Queue,
    *,
    text: _TEXT = "",
    kind: SpecKind | Literal[""] | None = None,
    after: _TEXT = "",
) -> HTMLResponse:
    """Show a page of specs, by name."""
    asked = Asked(text=text.strip(), kind=kind or None, after=after)
    found = spec_page(ctx, after=after, limit=PAGE_SPECS, text=asked.text or None, kind=asked.kind)
    now = ctx.now()
    return page(
        request,
        "specs.html",
        asked=asked,
        now=now,
        found=found,
        kinds=_KINDS,
        strips={name: squares(record.runs, now) for name, record in found.records.items()},
        in_words=lambda stored: in_words(ctx, stored),
        has_to_be_set=has_to_be_set,
        longest_reason=MAX_REASON_LENGTH,
    )


async def arguments_in(request: Request) -> dict[str, str]:
    """Return the values of parameters that a form has; what is left empty is left out."""
    form = await request.form(max_files=0, max_fields=_MOST_FIELDS)
    return {
        name.removeprefix(SET): value
        for name, value in form.multi_items()
        if name.startswith(SET) and isinstance(value, str) and value
    }


@router.post("/specs/{name}/run")
def run(
    request: Request,
    ctx: Queue,
    name: str,
    arguments: Annotated[dict[str, str], Depends(arguments_in)],
    there: There = "",
) -> Response:
    """Make a job of a spec now."""
    return act(request, there, lambda: _run(ctx, name, arguments))


@router.post("/specs/{name}/pause")
def pause(request: Request, ctx: Queue, name: str, there: There = "", reason: Reason = "") -> Response:
    """Let a spec make no jobs."""

    def use_case() -> str:
        stored = specs.pause(ctx, name, reason=" ".join(reason.split()) or None)
        return f"{stored.name} is paused" + (f": {stored.pause_reason}" if stored.pause_reason else "")

    return act(request, there, use_case)


@router.post("/specs/{name}/resume")
def resume(request: Request, ctx: Queue, name: str, there: There = "") -> Response:
    """Let a spec make jobs again."""
    return act(request, there, lambda: f"{specs.resume(ctx, name).name} is resumed")


def in_words(ctx: Context, stored: StoredSpec) -> str:
    """Say when a spec runs."""
    spec = stored.spec
    if spec.schedule is not None:
        words = describe_schedule(spec.schedule, schedule_zone(spec, ctx.config.timezone))
        return words[0].upper() + words[1:]
    if spec.needs:
        return f"After {', '.join(map(str, spec.needs))}"
    return "Once per version" if not has_to_be_set(spec) else "When somebody runs it"


def _run(ctx: Context, name: str, arguments: dict[str, str]) -> str:
    (job,) = specs.trigger(ctx, [name], arguments=arguments)
    return f"job {job.id} of {name} is {job.state}"
