"""The guard: what every request passes before anything else looks at it, and what every answer carries."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from queuectl.web.access import SAFE_METHODS, is_bearer, is_from_here, role_of
from queuectl.web.hosts import is_ours
from queuectl.web.login import Failures, log_in, login_page
from queuectl.web.problems import problem
from queuectl.web.site import Site

MAX_BODY = 1 << 20
"""Bytes of a request: a spec file may have as many."""
LOGIN = "/login"

_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}


class Guard:
    """Lets through who may come in: the right host, origin, token and size."""

    def __init__(self, app: ASGIApp, site: Site) -> None:
        self._app = app
        self._site = site
        self._failures = Failures()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # there is no websocket here
        scope["root_path"] = self._site.base_path
        headers = Headers(scope=scope)
        answer = _refused(scope["method"], headers, self._site)
        if answer is None:
            body = _Body(receive)
            if scope["path"] == f"{self._site.base_path}{LOGIN}" and scope["method"] == "POST":
                answer = await log_in(scope, body.receive, self._site, self._failures)
            else:
                answer = self._stranger(scope, headers)
            receive = body.receive
        app = self._app if answer is None else answer
        await app(scope, receive, _with_headers(send))

    def _stranger(self, scope: Scope, headers: Headers) -> Response | None:
        """Return what somebody is told who may not come in; None where they may."""
        role = role_of(headers, self._site)
        scope.setdefault("state", {})["role"] = role
        if role == "full" or (role == "read" and scope["method"] in SAFE_METHODS):
            return None
        if role == "read":
            return problem(HTTPStatus.FORBIDDEN, "the token that you came in with only allows to look")
        if is_bearer(headers) and not self._failures.may_try(self._site.seconds()):
            return problem(HTTPStatus.TOO_MANY_REQUESTS, "too many wrong tokens; wait a minute")
        if is_bearer(headers):
            self._failures.note(self._site.seconds())
        return login_page(scope, headers, self._site)


def _refused(method: str, headers: Mapping[str, str], site: Site) -> Response | None:
    """Return why nobody at all may ask like this; None where they may."""
    if not is_ours(headers.get("host", ""), site.hosts):
        return problem(
            HTTPStatus.MISDIRECTED_REQUEST,
            "this is no name of this dashboard; start it with --allow-host NAME if it is meant to be",
        )
    if method not in SAFE_METHODS and not is_bearer(headers) and not is_from_here(headers):
        return problem(
            HTTPStatus.FORBIDDEN, "this comes from another site; ask from a page of the dashboard itself"
        )
    length = headers.get("content-length", "0")
    if not length.isdecimal() or len(length) > 18:
        return problem(HTTPStatus.BAD_REQUEST, "Content-Length: expected a number")
    if int(length) > MAX_BODY:
        return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"expected at most {MAX_BODY} bytes")
    return None


class _Body:
    """A request's body that ends where it becomes too long, also without a Content-Length."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._seen = 0

    async def receive(self) -> Message:
        message = await self._receive()
        self._seen += len(message.get("body", b""))
        if self._seen > MAX_BODY:
            return {"type": "http.disconnect"}
        return message


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending
