"""The guard: what every request passes before anything else looks at it, and what every answer carries.

Behind a reverse proxy that shows the dashboard below a path (`--base-path /queue`) a request may come with that path in
front, or without it where the proxy takes it off. Within there is but one form: the path as the browser knows it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from queuectl.web.access import SAFE_METHODS, is_bearer, is_from_here, role_of
from queuectl.web.hosts import is_ours
from queuectl.web.login import Failures, log_in, log_out, login_page
from queuectl.web.plain import told
from queuectl.web.problems import problem
from queuectl.web.site import Site

MAX_BODY = 1 << 20
"""Bytes of a request: a spec file may have as many."""
LOGIN, LOGOUT = "/login", "/logout"

_log = logging.getLogger("uvicorn.error")
"""That of the server, which goes to stderr: that of queuectl is the journal of workers."""

_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",  # without any, browsers hide the Origin of forms, too
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
        _place(scope, self._site.base_path)
        receive = _Body(receive).receive
        answer = _Answer(send)
        try:
            app = await self._met(scope, receive) or self._app
            await app(scope, receive, answer.send)
        except Exception:
            if answer.has_begun:
                raise
            _log.exception("%s %r failed", scope["method"], scope["path"])
            sorry = "something failed here; what it was stands in the dashboard's log"
            is_api = scope["path"].startswith(f"{self._site.base_path}/api/")
            headers = Headers() if is_api else Headers(scope=scope)
            error = told(headers, HTTPStatus.INTERNAL_SERVER_ERROR, sorry)
            await error(scope, receive, answer.send)

    async def _met(self, scope: Scope, receive: Receive) -> Response | None:
        """Return what a request is answered with here already; None where it may go on."""
        site, headers, base = self._site, Headers(scope=scope), self._site.base_path
        refused = _refused(scope["method"], headers, site)
        if refused is not None:
            return refused
        if scope["path"] == base != "":
            return RedirectResponse(f"{base}/", HTTPStatus.PERMANENT_REDIRECT)
        if scope["method"] == "POST" and scope["path"] == f"{base}{LOGIN}":
            return await log_in(scope, receive, site, self._failures)
        if scope["method"] == "POST" and scope["path"] == f"{base}{LOGOUT}":
            return log_out(site)
        return self._stranger(scope, headers)

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
        return told(
            headers,
            HTTPStatus.MISDIRECTED_REQUEST,
            "this is no name of this dashboard; start it with --allow-host NAME if it is meant to be",
        )
    if method not in SAFE_METHODS and not is_bearer(headers) and not is_from_here(headers):
        return told(
            headers,
            HTTPStatus.FORBIDDEN,
            "this comes from another site; ask from a page of the dashboard itself",
        )
    length = headers.get("content-length", "0")
    if not length.isdecimal() or len(length) > 18:
        return problem(HTTPStatus.BAD_REQUEST, "Content-Length: expected a number")
    if int(length) > MAX_BODY:
        return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"expected at most {MAX_BODY} bytes")
    return None


def _place(scope: Scope, base: str) -> None:
    """Put the base path in front where a reverse proxy took it off."""
    scope["root_path"] = base
    path = scope["path"]
    if base and path != base and not path.startswith(f"{base}/"):
        scope["path"] = f"{base}{path}"
        scope["raw_path"] = base.encode() + scope.get("raw_path", path.encode())


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


class _Answer:
    """What is sent, with the headers that every answer carries."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.has_begun = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.has_begun = True
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await self._send(message)
