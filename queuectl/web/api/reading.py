"""Reading: what a request says, from its query, its headers and its body."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from json import JSONDecodeError
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Path, Query, Request
from pydantic import Field
from starlette.requests import ClientDisconnect

from queuectl.model.errors import UsageError
from queuectl.rules.instants import parse_instant, parse_when
from queuectl.rules.units import parse_duration
from queuectl.service.context import Context
from queuectl.specs.json_text import read_json

MOST = 1000
"""Rows of a page."""
LONGEST_ID = 2**63 - 1

JobName = Annotated[
    str,
    Path(
        alias="job",
        title="Job",
        description="The number of a job, else its key, else the name of a spec for its newest job.",
        examples=["12"],
    ),
]
SpecName = Annotated[
    str, Path(alias="spec", title="Spec", description="Name of a spec.", examples=["nightly-dump"])
]
Limit = Annotated[int, Query(ge=1, le=MOST, description="Rows of a page, at most.")]
IdCursor = Annotated[
    int | None,
    Query(
        ge=1,
        le=LONGEST_ID,
        description="Where the page begins: what the Link header of the page before says.",
    ),
]
OfSpec = Annotated[str | None, Query(description="Only of this spec.", examples=["nightly-dump"])]
OfQueue = Annotated[str | None, Query(description="Only of this queue.", examples=["default"])]
Labels = Annotated[
    list[Annotated[str, Field(pattern="^[^=]+=")]] | None,
    Query(
        alias="label",
        description="Only with this label, `NAME=VALUE`; may be given again.",
        examples=[["team=data"]],
    ),
]
Since = Annotated[
    str | None,
    Query(
        description="Only what changed since: an instant, or so long ago.",
        examples=["24h", "2026-05-01T00:00:00Z"],
    ),
]


def labels_of(given: Sequence[str] | None) -> dict[str, str]:
    """Read labels."""
    return {name: value for name, _, value in (one.partition("=") for one in given or ())}


def since_of(ctx: Context, text: str | None) -> int | None:
    """Read an instant, or a duration that means so long ago. UsageError."""
    if text is None:
        return None
    try:
        return parse_when(text, zone=ctx.config.timezone, now_ms=ctx.now())
    except ValueError as error:
        raise UsageError(f"since: {error}") from None


def instant_of(ctx: Context, name: str, text: str | None) -> int | None:
    """Read an instant. UsageError that says which."""
    if text is None:
        return None
    try:
        return parse_instant(text, zone=ctx.config.timezone, now_ms=ctx.now())
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from None


def duration_of(name: str, text: str | None) -> int | None:
    """Read a duration, 0 too. UsageError that says which."""
    if text is None:
        return None
    try:
        return parse_duration(text, allow_zero=True)
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from None


async def _object(request: Request) -> dict[str, Any]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"Content-Type: expected application/json, found {kind or 'none'}",
        )
    try:
        value = read_json((await request.body()).decode("utf-8-sig"))
    except ClientDisconnect:
        raise HTTPException(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is too long, or ends early"
        ) from None
    except UnicodeDecodeError:
        raise HTTPException(HTTPStatus.BAD_REQUEST, "the body is not UTF-8") from None
    except JSONDecodeError as error:
        at = f"line {error.lineno}, column {error.colno}: {error.msg[:1].lower()}{error.msg[1:]}"
        raise HTTPException(HTTPStatus.BAD_REQUEST, f"the JSON breaks at {at}") from None
    if not isinstance(value, dict):
        raise UsageError(f'expected a JSON object such as {{"command": "date"}}, found {_kind(value)}')
    return value


JsonObject = Annotated[dict[str, Any], Depends(_object)]
"""The body, read as strictly as `enqueue` reads JSON."""


def _kind(value: object) -> str:
    return {list: "an array", str: "a text", type(None): "null", bool: "a boolean"}.get(
        type(value), "a number"
    )
