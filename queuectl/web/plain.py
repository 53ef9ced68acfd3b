"""Plain pages: for people who may see nothing else, or when nothing else can be made. Each needs no other file."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from html import escape
from http import HTTPStatus
from pathlib import Path

from starlette.responses import HTMLResponse, Response

from queuectl.web.problems import problem

_FOLDER = Path(__file__).parent / "static"


def wants_page(headers: Mapping[str, str]) -> bool:
    """Whether it is a browser that asks for something to show."""
    return "text/html" in headers.get("accept", "")


def told(headers: Mapping[str, str], status: HTTPStatus, detail: str) -> Response:
    """Return an answer that says what is wrong: a page to people, a problem to programs."""
    if not wants_page(headers):
        return problem(status, detail)
    return plain_page("problem.html", status, TITLE=status.phrase, DETAIL=detail)


def plain_page(template: str, status: HTTPStatus, **values: str) -> Response:
    """Return a page of a file of static/ whose `%NAME%` are filled in as text."""
    html = _read(template)
    for name, value in values.items():
        html = html.replace(f"%{name}%", escape(value))
    policy = [
        "default-src 'none'",
        f"style-src '{_hash('login.css')}'",
        f"script-src '{_hash('login.js')}'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
    return HTMLResponse(html, status, headers={"content-security-policy": "; ".join(policy)})


@cache
def _read(name: str) -> str:
    text = (_FOLDER / name).read_text()
    if name.endswith(".html"):
        return text.replace("%STYLE%", _read("login.css")).replace("%SCRIPT%", _read("login.js"))
    return text


@cache
def _hash(name: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(_read(name).encode()).digest()).decode()}"
