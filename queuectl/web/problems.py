"""Problems: errors as RFC 9457 has them for programs, and as a page for people."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from queuectl.model.errors import (
    ConflictError,
    InvalidSpecError,
    QueuectlError,
    StoreInvalidError,
    StoreUnavailableError,
    UnknownError,
    UsageError,
)
from queuectl.web.live import TooManyWatchersError

MEDIA_TYPE = "application/problem+json"
_TITLES = {
    HTTPStatus.NOT_FOUND: "There is nothing here",
    HTTPStatus.SERVICE_UNAVAILABLE: "The queue can't be read now",
    HTTPStatus.UNPROCESSABLE_ENTITY: "That can't be",
    HTTPStatus.METHOD_NOT_ALLOWED: "That can't be asked for like this",
}
_METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")

_STATUS: dict[type[QueuectlError], HTTPStatus] = {
    UnknownError: HTTPStatus.NOT_FOUND,
    ConflictError: HTTPStatus.CONFLICT,
    UsageError: HTTPStatus.UNPROCESSABLE_ENTITY,
    InvalidSpecError: HTTPStatus.UNPROCESSABLE_ENTITY,
    StoreUnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
    StoreInvalidError: HTTPStatus.SERVICE_UNAVAILABLE,
    TooManyWatchersError: HTTPStatus.SERVICE_UNAVAILABLE,
}


def problem(status: HTTPStatus, detail: str, **more: Any) -> Response:
    """Return an answer that says what is wrong."""
    body = {"type": "about:blank", "title": status.phrase, "status": int(status), "detail": detail, **more}
    # In ASCII: what was asked for may hold half of a surrogate pair, which no UTF-8 has.
    return Response(json.dumps(body), status_code=status, media_type=MEDIA_TYPE)


def status_of(error: QueuectlError) -> HTTPStatus:
    """Return the status that an error of a use case is."""
    found = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), None)
    return found or HTTPStatus.INTERNAL_SERVER_ERROR


def handle_errors(app: FastAPI) -> None:
    """Let an app answer every error with a problem."""

    @app.exception_handler(QueuectlError)
    def _expected(request: Request, error: QueuectlError) -> Response:
        return _answer(request, status_of(error), str(error))

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> Response:
        answer = _answer(request, HTTPStatus(error.status_code), str(error.detail))
        answer.headers.update(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            answer.headers["allow"] = ", ".join(_methods(request))
        return answer

    @app.exception_handler(RequestValidationError)
    def _invalid(request: Request, error: RequestValidationError) -> Response:
        errors = [
            {"at": ".".join(map(str, one["loc"])), "detail": one["msg"]} for one in error.errors()[:100]
        ]
        first = f"{errors[0]['at']}: {errors[0]['detail']}" if errors else "expected something else"
        return _answer(request, HTTPStatus.UNPROCESSABLE_ENTITY, first, errors=errors)

    @app.exception_handler(Exception)
    def _unexpected(_: Request, error: Exception) -> Response:
        what = f"unexpected {type(error).__name__}; its stderr says more; please report it"
        return problem(HTTPStatus.INTERNAL_SERVER_ERROR, what)


def _answer(request: Request, status: HTTPStatus, detail: str, **more: Any) -> Response:
    is_for_people = "text/html" in request.headers.get("accept", "")
    if not is_for_people or request.url.path.startswith(f"{request.app.state.site.base_path}/api/"):
        return problem(status, detail, **more)
    from queuectl.web.pages.render import page  # noqa: PLC0415  pages have problems, too

    detail = detail.encode(errors="replace").decode()
    return page(request, "problem.html", code=status, title=_TITLES.get(status, status.phrase), detail=detail)


def _methods(request: Request) -> list[str]:
    """Return how a path may be asked for: several routes may share it, and the error only knows one of them."""
    routes = request.app.routes
    return [
        method
        for method in _METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)
    ]
