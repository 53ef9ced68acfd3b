"""Rendering: templates, and how values are shown in them. Everything is text unless a template says otherwise."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from queuectl.rules.instants import format_instant
from queuectl.rules.units import rough_duration
from queuectl.rules.visible import visible
from queuectl.web.asking import role_of, site_of
from queuectl.web.pages.shown import command_text

LIVE = "x-live"
"""A header that says: the script only looks whether something has changed."""
NOTICE = "queuectl-notice"
"""The cookie that carries what the last button came to."""
_LONGEST_NOTICE = 400

_HERE = Path(__file__).parent.parent
PAGES = (
    ("Overview", ""),
    ("Jobs", "jobs"),
    ("Specs", "specs"),
    ("Dead letters", "dead"),
    ("Workers", "workers"),
    ("Settings", "settings"),
)


def page(request: Request, template: str, *, code: HTTPStatus = HTTPStatus.OK, **values: Any) -> HTMLResponse:
    """Return a page. `values` are what the template shows."""
    site = site_of(request)
    notice = None if LIVE in request.headers else notice_of(request)
    html = (
        _templates()
        .get_template(template)
        .render(
            base=site.base_path,
            here=request.url.path.removeprefix(site.base_path).strip("/").partition("/")[0],
            pages=PAGES,
            may_change=role_of(request) == "full",
            asset=_asset,
            url=request.url.path + (f"?{request.url.query}" if request.url.query else ""),
            notice=notice,
            **values,
        )
    )
    answer = HTMLResponse(html, code)
    if notice is not None:
        answer.delete_cookie(NOTICE, path=f"{site.base_path}/", httponly=True, samesite="strict")
    return answer


def notice_of(request: Request) -> tuple[str, str] | None:
    """Return kind (`good`, `bad`) and text of what the last button came to; None where there is nothing to say."""
    kind, found, text = unquote(request.cookies.get(NOTICE, "")).partition(":")
    return (kind, text[:_LONGEST_NOTICE]) if found and kind in {"good", "bad"} else None


@cache
def _templates() -> Environment:
    found = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(instant=_instant, duration=_duration, percent=_percent, count="{:,}".format)
    found.filters.update(utc=_utc, visible=_visible, command=command_text)
    return found


def _instant(at: int | None, *, otherwise: str = "–", exact: bool = False) -> str | Markup:
    """An instant: the page says how long ago it is, and the exact one in the viewer's zone on hover, or at once."""
    if at is None:
        return otherwise
    kind = Markup(" data-exact") if exact else ""
    return Markup('<time datetime="{0}"{1}>{0}</time>').format(format_instant(at), kind)


def _utc(at: int) -> str:
    """An instant for people who think in UTC."""
    return f"{format_instant(at)[:19].replace('T', ' ')} UTC"


def _visible(text: object, *, lines: bool = False) -> str:
    """Text of jobs, in which characters that would be obeyed (direction, zero width) are shown."""
    return visible(str(text), lines=lines)


def _duration(ms: float | None, *, otherwise: str = "–") -> str:
    return otherwise if ms is None else rough_duration(ms)


def _percent(share: float | None, *, otherwise: str = "–") -> str:
    return otherwise if share is None else f"{share:.1%}"


@cache
def _asset(name: str) -> str:
    """A static file under an address that changes with it, so that browsers may keep it."""
    digest = sha256((_HERE / "static" / name).read_bytes()).hexdigest()[:12]
    return f"static/{name}?v={digest}"
