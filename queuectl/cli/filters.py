"""`--spec` and `--queue`: a name that doesn't exist is most often a typo."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from queuectl.cli.visible import visible

if TYPE_CHECKING:
    from queuectl.service.context import Context


def check_filters(ctx: Context, *, spec: str | None, queue: str | None) -> None:
    """Refuse a spec that never was; of a queue that isn't there say so on stderr."""
    if spec is None and queue is None:
        return
    from queuectl.service.filters import check_spec, remark_on_queue  # noqa: PLC0415  mostly there is no filter

    check_spec(ctx, spec)
    if remark := remark_on_queue(ctx, queue):
        click.echo(visible(remark), err=True)
