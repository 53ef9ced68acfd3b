"""Problems: errors as RFC 9457 has them, for programs and for people."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Match

from queuectl.model.errors import (
    ConflictError,
    InvalidSpecError,
    QueuectlError,
    StoreUnavailableError,
    UnknownError,
    UsageError,
)
from queuectl.web.live import TooManyWatchersError

MEDIA_TYPE = "application/problem+json"
_METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")

_STATUS: dict[type[QueuectlError], HTTPStatus] = {
    UnknownError: HTTPStatus.NOT_FOUND,
    ConflictError: HTTPStatus.CONFLICT,
    UsageError: HTTPStatus.UNPROCESSABLE_ENTITY,
    InvalidSpecError: HTTPStatus.UNPROCESSABLE_ENTITY,
    StoreUnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
    TooManyWatchersError: HTTPStatus.SERVICE_UNAVAILABLE,
}


def problem(status: HTTPStatus, detail: str, **more: Any) -> Response:
    """Return an answer that says what is wrong."""
    body = {"type": "about:blank", "title": status.phrase, "status": int(status), "detail": detail, **more}
    return JSONResponse(body, status_code=status, media_type=MEDIA_TYPE)


def status_of(error: QueuectlError) -> HTTPStatus:
    """Return the status that an error of a use case is."""
    found = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), None)
    return found or HTTPStatus.INTERNAL_SERVER_ERROR


def handle_errors(app: FastAPI) -> None:
    """Let an app answer every error with a problem."""

    @app.exception_handler(QueuectlError)
    def _expected(_: Request, error: QueuectlError) -> Response:
        return problem(status_of(error), str(error))

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> Response:
        answer = problem(HTTPStatus(error.status_code), str(error.detail))
        answer.headers.update(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            answer.headers["allow"] = ", ".join(_methods(request))
        return answer

    @app.exception_handler(RequestValidationError)
    def _invalid(_: Request, error: RequestValidationError) -> Response:
        errors = [
            {"at": ".".join(map(str, one["loc"])), "detail": one["msg"]} for one in error.errors()[:100]
        ]
        first = f"{errors[0]['at']}: {errors[0]['detail']}" if errors else "expected something else"
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, first, errors=errors)


def _methods(request: Request) -> list[str]:
    """Return how a path may be asked for: several routes may share it, and the error only knows one of them."""
    routes = request.app.routes
    return [
        method
        for method in _METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)
    ]
