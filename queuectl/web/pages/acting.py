"""Acting: what a button on a page does, and what the page says afterwards."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, NamedTuple
from urllib.parse import quote

from fastapi import Form, Request
from starlette.responses import RedirectResponse, Response

from queuectl.model.errors import QueuectlError
from queuectl.web.asking import site_of
from queuectl.web.login import local
from queuectl.web.pages.render import NOTICE, page

_NOTICE_S = 10
_LONGEST = 1200
"""Bytes of a notice: it travels as a cookie, quoted, and browsers drop one of more than 4096."""

There = Annotated[str, Form(alias="next", max_length=16_000)]
"""The page to go back to: forms say it in a field `next`."""
Sure = Annotated[bool, Form(alias="sure")]
"""Whether somebody has confirmed; see `ask_first`."""


class Elsewhere(NamedTuple):
    """What came of a use case that is to be seen on another page than the one it was asked on."""

    text: str
    there: str


def act(request: Request, there: str, use_case: Callable[[], str | Elsewhere]) -> Response:
    """Do something, go back, and say what came of it there: what `use_case` returns, or its error."""
    try:
        kind, said = "good", use_case()
        text, there = said if isinstance(said, Elsewhere) else (said, there)
    except QueuectlError as error:
        kind, text = "bad", str(error)
    return _back(request, there, f"{kind}:{text}")


def ask_first(request: Request, question: str, button: str, **fields: str | list[str]) -> Response:
    """Return a page that asks whether somebody is sure, and sends the same form again with `sure`.

    The script asks beforehand, in a dialog; this is for who has none.
    """
    sent = [
        (name, one)
        for name, value in fields.items()
        for one in ([value] if isinstance(value, str) else value)
    ]
    return page(request, "sure.html", question=question, button=button, fields=sent, action=request.url.path)


def _back(request: Request, there: str, notice: str) -> Response:
    site = site_of(request)
    answer = RedirectResponse(local(there, site), HTTPStatus.SEE_OTHER)
    answer.set_cookie(
        NOTICE,
        quote(notice.encode(errors="replace")[:_LONGEST].decode(errors="ignore")),
        max_age=_NOTICE_S,
        path=f"{site.base_path}/",
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer
