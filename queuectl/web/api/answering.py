"""Answering: JSON as the command line prints it, pages of long lists, and what the document says of errors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import Request
from starlette.responses import Response

from queuectl.web.api.schemas import Problem
from queuectl.web.asking import site_of
from queuectl.web.problems import MEDIA_TYPE

Answers = dict[int | str, dict[str, Any]]
"""What the document says of answers, by status."""


class Json(Response):
    """A view, as it is."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Write JSON in UTF-8."""
        return msgspec.json.encode(content)


def page(request: Request, rows: Iterable[Mapping[str, Any]], following: object | None) -> Json:
    """Return an array; `following` is the cursor of what comes after it, which the Link header leads to."""
    headers = {}
    if following is not None:
        query = request.url.include_query_params(cursor=following).query
        headers["link"] = f'<{address(request, request.url.path)}?{query}>; rel="next"'
    return Json(list(rows), headers=headers)


def address(request: Request, path: str) -> str:
    """Return where a path is asked for from outside, behind whatever proxy."""
    base = site_of(request).base_path
    return path if path.startswith(f"{base}/") else f"{base}{path}"


def job_address(request: Request, job_id: int) -> str:
    """Return where a job is."""
    return address(request, f"{site_of(request).base_path}/api/v1/jobs/{job_id}")


def paged(what: str) -> Answers:
    """Say in the document that an answer is one page of a list."""
    link = {
        "description": 'Where the next page is (RFC 8288): `<…?cursor=…>; rel="next"`. The last page has none.',
        "schema": {"type": "string"},
    }
    return {200: {"description": what, "headers": {"Link": link}}}


def _problem(status: HTTPStatus, description: str) -> Answers:
    example = {"type": "about:blank", "title": status.phrase, "status": int(status), "detail": description}
    content = {
        MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}, "example": example}
    }
    return {int(status): {"description": description, "content": content}}


PROBLEMS: Answers = {
    **_problem(HTTPStatus.BAD_REQUEST, "The request can't be read: no JSON, no HTTP."),
    **_problem(HTTPStatus.UNAUTHORIZED, "a token is needed: Authorization: Bearer TOKEN"),
    **_problem(HTTPStatus.FORBIDDEN, "the token that you came in with only allows to look"),
    **_problem(HTTPStatus.NOT_FOUND, "there is no job '12'"),
    **_problem(HTTPStatus.CONFLICT, "job 12 is completed already, so there is nothing to cancel"),
    **_problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "expected at most 1048576 bytes"),
    **_problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Content-Type: expected application/json"),
    **_problem(HTTPStatus.MISDIRECTED_REQUEST, "this is no name of this dashboard"),
    **_problem(HTTPStatus.UNPROCESSABLE_ENTITY, "query.limit: Input should be less than or equal to 1000"),
    **_problem(HTTPStatus.TOO_MANY_REQUESTS, "too many wrong tokens; wait a minute"),
    **_problem(
        HTTPStatus.SERVICE_UNAVAILABLE, "The queue is busy, full or can't be reached; nothing was changed."
    ),
}
"""What any of the routes may answer."""
