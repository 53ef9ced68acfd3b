"""Logging in: a token for a cookie. The page for it is also what a browser without one is shown everywhere."""

from __future__ import annotations

from collections import deque
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Receive, Scope

from queuectl.web.access import no_session_cookie, session_cookie
from queuectl.web.plain import plain_page, told, wants_page
from queuectl.web.problems import problem
from queuectl.web.site import Site

_WRONG_A_MINUTE = 20


class Failures:
    """Counts wrong tokens, so that nobody may try too many."""

    def __init__(self) -> None:
        self._at: deque[float] = deque(maxlen=_WRONG_A_MINUTE)

    def may_try(self, now: float) -> bool:
        """Whether there were not too many within a minute."""
        return len(self._at) < _WRONG_A_MINUTE or now - self._at[0] > 60

    def note(self, now: float) -> None:
        """One more."""
        self._at.append(now)


async def log_in(scope: Scope, receive: Receive, site: Site, failures: Failures) -> Response:
    """Exchange the token of a form for a cookie. A right one always works, however many were wrong."""
    headers = Headers(scope=scope)
    try:
        form = await Request(scope, receive).form(max_files=0, max_fields=10)
    except (ClientDisconnect, HTTPException, MultiPartException):
        return told(headers, HTTPStatus.BAD_REQUEST, "this is no form with a token")
    token, there = form.get("token"), form.get("next")
    role = site.tokens.role_of(token) if site.tokens and isinstance(token, str) else None
    if role is not None:
        away = RedirectResponse(local(there, site), HTTPStatus.SEE_OTHER)
        away.headers["set-cookie"] = session_cookie(role, site, secure=scope.get("scheme") == "https")
        return away
    if not failures.may_try(site.seconds()):
        return told(headers, HTTPStatus.TOO_MANY_REQUESTS, "too many wrong tokens; wait a minute")
    failures.note(site.seconds())
    return _page(site, there=local(there, site), message="This is not the token of this dashboard.")


def log_out(site: Site) -> Response:
    """Let a browser forget its cookie."""
    away = RedirectResponse(f"{site.base_path}/", HTTPStatus.SEE_OTHER)
    away.headers["set-cookie"] = no_session_cookie(site)
    return away


def login_page(scope: Scope, headers: Headers, site: Site) -> Response:
    """Return what who shows no token is told: people a page to give one, programs a problem."""
    if scope["method"] in {"GET", "HEAD"} and wants_page(headers):
        query = scope.get("query_string", b"").decode("latin-1")
        return _page(site, there=local(scope["path"] + (f"?{query}" if query else ""), site))
    answer = problem(HTTPStatus.UNAUTHORIZED, "a token is needed: Authorization: Bearer TOKEN")
    answer.headers["www-authenticate"] = "Bearer"
    return answer


def local(path: object, site: Site) -> str:
    """Return a path of this site and nothing else, whatever was asked for."""
    home = f"{site.base_path}/"
    if not isinstance(path, str) or not path.startswith("/") or path.startswith("//") or "\\" in path:
        return home
    parts = urlsplit(path)
    if parts.scheme or parts.netloc or not path.isprintable() or parts.path == f"{site.base_path}/login":
        return home
    return path


def _page(site: Site, *, there: str, message: str = "") -> Response:
    return plain_page(
        "login.html",
        HTTPStatus.UNAUTHORIZED,
        ACTION=f"{site.base_path}/login",
        NEXT=there,
        MESSAGE=message,
    )
