"""`queuectl notify send`."""

from __future__ import annotations

import os
import sys
import time
import uuid

import click

from queuectl.cli.lazy import Command
from queuectl.model.errors import UsageError
from queuectl.service import notify


@click.command(
    cls=Command,
    examples="""
    HOOK_KIND=webhook HOOK_URL=https://example.org queuectl notify send
    """,
)
def command() -> None:
    """Send what a hook is told; hooks run this.

    Reads the event as JSON from stdin, the URL from HOOK_URL, and the key of a webhook from HOOK_SECRET.
    """
    url = os.environ.get("HOOK_URL")
    if not url:
        raise UsageError("HOOK_URL: expected the URL to notify")
    text = sys.stdin.buffer.read().decode("utf-8", "replace")
    message = notify.parsed(text)
    if os.environ.get("HOOK_KIND") == "notify":
        notify.send_notification(url, *notify.title_and_text(message))
        return
    notify.send_webhook(
        url,
        text.encode(),
        message_id=f"msg_{uuid.uuid5(uuid.NAMESPACE_OID, text)}",  # the same at every try, no other queue's
        now_s=int(time.time()),
        secret=os.environ.get("HOOK_SECRET"),
    )
