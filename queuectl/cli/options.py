"""Options that many commands share, and the queue that they open."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from queuectl.service.context import Context

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
_DATABASE = "queuectl.database"


def open_queue(
    *, create: bool, overrides: Mapping[str, str] | None = None
) -> AbstractContextManager[Context]:
    """Open the queue that `--db` or the environment names."""
    from queuectl.service.context import opened  # noqa: PLC0415  imports the store

    return opened(database(), create=create, overrides=overrides or {})


def database() -> str | None:
    """Return what `--db` says."""
    found: str | None = click.get_current_context().meta.get(_DATABASE)
    return found


def _remember(context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        context.meta[_DATABASE] = value


def database_option(command: Decorated) -> Decorated:
    """Add `--db`, before or after the command's name."""
    return click.option(
        "--db",
        metavar="PATH",
        expose_value=False,
        callback=_remember,
        help="The queue's file. [env: QUEUECTL_DB]",
        shell_complete=_complete_files,
    )(command)


def output_option(command: Decorated) -> Decorated:
    """Add `-o table|json|jsonl`, given to the command as `output`."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(["table", "json", "jsonl"]),
        default="table",
        metavar="FORMAT",
        help="table for people, json or jsonl for programs.",
    )(command)


def yes_option(command: Decorated) -> Decorated:
    """Add `--yes`: don't ask."""
    return click.option("-y", "--yes", is_flag=True, help="Don't ask.")(command)


def _complete_files(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[Any]:
    from click.shell_completion import CompletionItem  # noqa: PLC0415

    return [CompletionItem(incomplete, type="file")]
