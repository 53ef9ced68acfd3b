"""Backup: a copy of the whole queue as of one instant, while it is used."""

from __future__ import annotations

from pathlib import Path

from queuectl.model.errors import UnknownError
from queuectl.service.context import Context


def backup(ctx: Context, path: Path) -> int:
    """Copy the queue to a new file with mode 0600; never overwrites one. Returns its size in bytes.

    The outputs of attempts that are longer than 64 KiB are not in it: they are files in `ctx.log_dir`.
    """
    if not ctx.exists:
        raise UnknownError(f"there is no queue at {ctx.path} yet, so there is nothing to back up")
    ctx.store.backup(path)
    return path.stat().st_size
