"""A spec: what it says and since when, how its runs did, and what became of its fires."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from queuectl.model.errors import UnknownError
from queuectl.model.fire import SpecVersion, StoredSpec
from queuectl.model.spec import schedule_zone
from queuectl.rules.changes import Change, changes
from queuectl.rules.limits import MAX_REASON_LENGTH
from queuectl.rules.params import has_to_be_set
from queuectl.service import origin, specs
from queuectl.service.context import Context
from queuectl.service.fires import ledger
from queuectl.service.records import SHOWN, history, record_of
from queuectl.specs.written import as_yaml
from queuectl.web.asking import Queue
from queuectl.web.charts.durations import run_durations
from queuectl.web.charts.squares import told
from queuectl.web.pages.render import page
from queuectl.web.pages.specs import SET, in_words

router = APIRouter()

CHARTED = 100
"""Runs in the chart."""
PAGE_FIRES = 50
PAGE_VERSIONS = 10
_NUMBER = Annotated[int | None, Query(ge=1, lt=2**63)]
_INSTANT = Annotated[int | None, Query(ge=0, lt=2**63)]


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a spec, as it is shown."""

    version: int
    yaml: str | None
    """None: it can't be read any more."""
    since: Sequence[Change] = ()
    """What has changed from it to today's."""


class Param(msgspec.Struct, frozen=True, kw_only=True):
    """A field of the form that runs a spec."""

    name: str
    field: str
    """Of the form."""
    about: str | None
    options: Sequence[str]
    """What it may be; empty: anything of its type."""
    is_number: bool
    default: str | None


@router.get("/specs/{name}")
def show(
    request: Request,
    ctx: Queue,
    name: str,
    *,
    version: _NUMBER = None,
    versions: _NUMBER = None,
    before: _INSTANT = None,
) -> HTMLResponse:
    """Show a spec, also a pruned or damaged one. `version` is shown as it was, `versions` is where their list begins.

    The ledger begins `before` an instant.
    """
    stored = ctx.store.specs.get(name) or specs.find_spec(ctx, name)
    runs = ctx.store.attempts.latest_of_specs([name], limit=CHARTED)
    record, now = record_of(runs[-SHOWN:]), ctx.now()
    past, older = history(ctx, name, newest=versions, limit=PAGE_VERSIONS)
    fires = ledger(ctx, name, before=before, limit=PAGE_FIRES + 1)
    return page(
        request,
        "spec.html",
        stored=stored,
        now=now,
        shown=_shown(ctx, stored, version),
        in_words=in_words(ctx, stored),
        zone=schedule_zone(stored.spec, ctx.config.timezone),
        applied=origin.applied_by(ctx, stored),
        record=record,
        outcomes=[(run.id, run.state, told(run, now)) for run in record.runs],
        chart=run_durations(runs, record_of(runs).average_ms, now) if runs else None,
        past=past,
        older=older,
        fires=fires[:PAGE_FIRES],
        go_on_before=fires[PAGE_FIRES - 1].due_at if len(fires) > PAGE_FIRES else None,
        before=before,
        params=[_param(name, schema) for name, schema in stored.spec.params.items()],
        has_to_be_set=has_to_be_set(stored.spec),
        longest_reason=MAX_REASON_LENGTH,
    )


def _shown(ctx: Context, stored: StoredSpec, version: int | None) -> Shown:
    if version is None or version == stored.version:
        return Shown(version=stored.version, yaml=None if stored.damage else as_yaml(stored.spec))
    found: list[SpecVersion] = ctx.store.specs.versions(stored.name, newest=version, limit=1)
    if not found or found[0].version != version:
        raise UnknownError(f"spec '{stored.name}' has no version {version}; the latest is {stored.version}")
    spec = found[0].spec
    if spec is None:
        return Shown(version=version, yaml=None)
    since = () if stored.damage else changes(spec, stored.spec)
    return Shown(version=version, yaml=as_yaml(spec), since=since)


def _param(name: str, schema: Any) -> Param:
    kind = schema.get("type", "string")
    options = ("true", "false") if kind == "boolean" else tuple(map(_text, schema.get("enum", ())))
    return Param(
        name=name,
        field=SET + name,
        about=schema.get("description") or schema.get("title"),
        options=options,
        is_number=kind in {"integer", "number"},
        default=_text(schema["default"]) if "default" in schema else None,
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
