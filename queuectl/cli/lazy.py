"""Commands that are imported when they are called, and help that shows examples."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from queuectl.rules.nearest import did_you_mean

Sections = Mapping[str, Mapping[str, str]]
"""Heading → command → what it does, in a few words."""


class Command(click.Command):
    """A command whose help ends with examples, one command line each."""

    def __init__(self, *args: Any, examples: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = examples

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples as they stand."""
        write_lines("Examples", self.examples, formatter)
        super().format_epilog(ctx, formatter)


class LazyGroup(click.Group):
    """A group that knows its commands by name and a few words; `PACKAGE.NAME:command` is imported when called."""

    def __init__(
        self,
        *args: Any,
        package: str,
        sections: Sections,
        quick_start: str = "",
        examples: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.package = package
        self.sections = sections
        self.quick_start = quick_start
        self.examples = examples
        self.words = {name: words for section in sections.values() for name, words in section.items()}

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Show the help when no command is named."""
        if not args and not ctx.resilient_parsing:
            click.echo(ctx.get_help())
            ctx.exit()
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names in the order of the help."""
        return list(self.words)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command; None when there is none of that name."""
        if cmd_name not in self.words:
            return None
        command: click.Command = import_module(f"{self.package}.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; the nearest name is proposed for one that isn't there."""
        name = args[0]
        command = self.get_command(ctx, name)
        if command is None and not name.startswith("-"):
            ctx.fail(f"no such command '{name}'{did_you_mean(name, self.words)}")
        return super().resolve_command(ctx, args) if command is None else (name, command, args[1:])

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what the group is for, and how to begin."""
        super().format_help_text(ctx, formatter)
        write_lines("Quick start", self.quick_start, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the commands section by section, without importing any."""
        width = max(map(len, self.words))
        for heading, commands in self.sections.items():
            with formatter.section(heading):
                formatter.write_dl([(name.ljust(width), words) for name, words in commands.items()])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the examples as they stand."""
        write_lines("Examples", self.examples, formatter)


def write_lines(heading: str, text: str, formatter: click.HelpFormatter) -> None:
    """Write a section whose lines are not wrapped."""
    if text:
        with formatter.section(heading):
            for line in text.strip().splitlines():
                formatter.write(f"{'':{formatter.current_indent}}{line.strip()}\n")
