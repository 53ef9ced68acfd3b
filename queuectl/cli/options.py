"""Options that many commands share, and the queue that they open."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from queuectl.cli import params
from queuectl.cli.visible import visible

if TYPE_CHECKING:
    from queuectl.service.context import Context
    from queuectl.specs.load import Loaded

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


class _SpecPath(click.Path):
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":  # of a variable that isn't set: it must not mean the current folder
            self.fail("expected a path, found nothing", param, ctx)
        return super().convert(value, param, ctx)


SPEC_PATH = _SpecPath(path_type=Path, readable=False)
"""A spec file or a folder of them; what can't be read is found out, and said, together with all that is wrong."""
_DATABASE = "queuectl.database"
_LOADED = "queuectl.loaded"


def open_queue(
    *,
    create: bool,
    looking: bool = False,
    overrides: Mapping[str, str] | None = None,
    rehearse: Callable[[Context], object] | None = None,
) -> AbstractContextManager[Context]:
    """Open the queue that `--db` or the environment names; a missing one is made only if `rehearse` doesn't raise.

    `looking`: nothing is going to be written, so it needs not be possible.
    """
    from queuectl.service.context import opened  # noqa: PLC0415  imports the store

    return opened(
        database(),
        create=create,
        looking=looking,
        overrides=overrides or {},
        rehearse=rehearse,
        warn=_warner(),
    )


def open_queue_for(
    paths: Sequence[Path], *, overrides: Mapping[str, str] | None = None
) -> AbstractContextManager[Context]:
    """Open the queue to apply spec files to it; where they are wrong, a missing one is not made.

    `already_read` then gives what was read to find that out.
    """

    def check(ctx: Context) -> None:
        if paths:
            from queuectl.service.apply import read  # noqa: PLC0415  only for the first apply

            click.get_current_context().meta[_LOADED] = read(paths, ctx.config)

    return open_queue(create=True, overrides=overrides, rehearse=check)


def _warner() -> Callable[[str], None]:
    """Say on stderr what is wrong with the queue, each thing once."""
    said: set[str] = set()

    def warn(text: str) -> None:
        if text not in said:
            said.add(text)
            click.echo(f"{click.style('warning', fg='yellow')}: {visible(text)}", err=True)

    return warn


def already_read() -> Loaded | None:
    """Return the spec files as `open_queue_for` read them, once; None where it had no need to."""
    found: Loaded | None = click.get_current_context().meta.pop(_LOADED, None)
    return found


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


def label_option(command: Decorated) -> Decorated:
    """Add `--label NAME=VALUE`, given to the command as `labels`."""
    return click.option(
        "-l", "--label", "labels", multiple=True, metavar="NAME=VALUE", callback=params.pairs,
        help="Only with this label; may be given again.",
    )(command)  # fmt: skip


def yes_option(command: Decorated) -> Decorated:
    """Add `--yes`: don't ask."""
    return click.option("-y", "--yes", is_flag=True, help="Don't ask.")(command)


def _complete_files(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[Any]:
    from click.shell_completion import CompletionItem  # noqa: PLC0415

    return [CompletionItem(incomplete, type="file")]
