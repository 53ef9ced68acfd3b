"""Forms, as a page sends them."""

from __future__ import annotations

from urllib.parse import unquote

import httpx

from queuectl.web.pages.render import NOTICE


def notice(answer: httpx.Response) -> str:
    """What the page says next: `good: …`, `bad: …`."""
    assert answer.status_code == 303, answer.text
    return unquote(answer.cookies[NOTICE].strip('"'))


def send(client: httpx.Client, path: str, **fields: object) -> str:
    """Send a form and return what the page says next."""
    client.cookies.clear()
    return notice(client.post(path, data={name: str(value) for name, value in fields.items()}))
