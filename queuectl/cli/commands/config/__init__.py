"""`queuectl config`: a group of commands."""

from __future__ import annotations

from collections.abc import Iterable

import click

from queuectl.cli.lazy import LazyGroup
from queuectl.cli.options import database_option
from queuectl.rules.nearest import did_you_mean


class _ConfigGroup(LazyGroup):
    """`config max_retries 5` is `config set max_retries 5`, `config max_retries` is `config get max_retries`."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self.words and not args[0].startswith("-"):
            _check_key(ctx, args[0], self.words)
            verb = "set" if len(args) > 1 and not args[1].startswith("-") else "get"
            args = [verb, *args]
        return super().resolve_command(ctx, args)


def _check_key(ctx: click.Context, word: str, commands: Iterable[str]) -> None:
    from queuectl.cli.config_keys import KEYS, key_named  # noqa: PLC0415  not for `config list`

    if key_named(word) is None:
        ctx.fail(f"no such command or key '{word}'{did_you_mean(word, [*commands, *KEYS])}")


@click.group(
    cls=_ConfigGroup,
    package=__name__,
    sections={
        "Commands": {
            "get": "Print the value of a key; without one, all.",
            "set": "Set keys, for this queue.",
            "list": "List keys, values and where they come from.",
            "show": "The same as list.",
            "unset": "Go back to the default of keys.",
            "reset": "Go back to the default of all keys.",
        }
    },
    examples="""
    queuectl config list
    queuectl config set max-retries 5
    queuectl config get max-retries
    """,
)
@database_option
def command() -> None:
    """Read and change the configuration.

    It is kept in the queue. A flag of a command wins over the environment (QUEUECTL_MAX_RETRIES),
    which wins over what is set here, which wins over the default.
    """
