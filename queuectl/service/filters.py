"""Names that jobs are filtered by: whether there are any such."""

from __future__ import annotations

from queuectl.rules.nearest import did_you_mean
from queuectl.service.context import Context
from queuectl.service.specs import get_spec


def check_spec(ctx: Context, name: str | None) -> None:
    """UnknownError, with the nearest name, for a spec that never was; a pruned one has its history."""
    if name is not None and ctx.store.specs.get(name) is None:
        get_spec(ctx, name)


def remark_on_queue(ctx: Context, name: str | None) -> str | None:
    """Say that a queue isn't there: no error, for it comes with its first job."""
    if name is None or name in (names := [queue.name for queue in ctx.store.queues.list()]):
        return None
    return f"there is no queue '{name}' yet{did_you_mean(name, names)}"
