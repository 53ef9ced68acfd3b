"""`queuectl notify test`."""

from __future__ import annotations

import json
import sys
import time
import uuid

import click

from queuectl.cli.lazy import Command
from queuectl.model.errors import UsageError
from queuectl.rules.hooks import check_hook, parse_hook
from queuectl.service import notify


@click.command(
    cls=Command,
    examples="""
    queuectl notify test mailto://ops.example.org
    queuectl notify test https://example.org/queuectl
    printf %s "$SLACK_URL" | queuectl notify test -
    """,
)
@click.argument("url")
def command(url: str) -> None:
    """Send a test to a webhook or a service.

    With - the URL is read from stdin, so that what is secret in it stands in no list of processes.
    """
    if url == "-":
        url = sys.stdin.buffer.read().decode("utf-8", "replace").strip()
    try:
        hook = parse_hook(url)
        check_hook(hook)
    except ValueError as error:
        raise UsageError(str(error)) from None
    if hook.command is not None:
        raise UsageError("expected a URL such as https://example.org/hook, slack://… or mailto://…")
    message = notify.example()
    if hook.webhook:
        body = json.dumps(message).encode()
        status = notify.send_webhook(
            url, body, message_id=f"test-{uuid.uuid4()}", now_s=int(time.time()), secret=None
        )
        click.echo(f"sent: answered {status}")
    else:
        notify.send_notification(url, *notify.title_and_text(message))
        click.echo("sent")
