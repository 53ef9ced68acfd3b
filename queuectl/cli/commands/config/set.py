"""`queuectl config set`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from queuectl.cli.completion import config_keys
from queuectl.cli.config_keys import KEYS
from queuectl.cli.lazy import Command
from queuectl.cli.options import database_option, open_queue
from queuectl.cli.visible import visible
from queuectl.service.settings import get, set_

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def _key_options(command: Decorated) -> Decorated:
    """Add an option for each key: the spelling `config set --max-retries 5`."""
    for key in reversed(KEYS):
        command = click.option(f"--{key}", metavar="VALUE", hidden=True)(command)
    return command


@click.command(
    cls=Command,
    examples="""
    queuectl config set max-retries 5
    queuectl config set timezone Europe/Berlin
    queuectl config set backoff-base=2s backoff-factor=3
    queuectl config set --max-retries 5 --backoff-base 2
    """,
)
@click.argument("words", metavar="KEY VALUE | KEY=VALUE...", nargs=-1, shell_complete=config_keys)
@_key_options
@database_option
def command(words: tuple[str, ...], **options: str | None) -> None:
    """Set keys, for this queue.

    All or none. New jobs get the new defaults; a running worker reads its own settings again when
    it is restarted.
    """
    values = _pairs(words) | {
        key.replace("_", "-"): value for key, value in options.items() if value is not None
    }
    if not values:
        raise click.UsageError("expected a KEY and a VALUE", click.get_current_context())
    with open_queue(create=True, rehearse=lambda ctx: set_(ctx, values)) as ctx:
        for setting in set_(ctx, values):
            click.echo(f"{setting.key} = {visible(setting.value)}")
            if (inforce := get(ctx, setting.key)).origin == "environment":
                click.echo(
                    f"the environment sets {setting.key} to {inforce.value}, which wins here", err=True
                )


def _pairs(words: tuple[str, ...]) -> dict[str, str]:
    """Read `KEY VALUE` pairs and `KEY=VALUE` words."""
    values: dict[str, str] = {}
    rest = list(words)
    while rest:
        key, equals, value = rest.pop(0).partition("=")
        if not equals:
            if not rest:
                raise click.UsageError(f"expected a value for {key}", click.get_current_context())
            value = rest.pop(0)
        values[key] = value
    return values
