"""The place of the queue: whether SQLite can work there, on a local disk with room."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from queuectl.rules.units import format_size
from queuectl.service.context import Context
from queuectl.service.doctor.finding import Finding, ok, problem, warning
from queuectl.store.filesystem import network_filesystem

LITTLE, TOO_LITTLE = 256 << 20, 4 << 20
"""Bytes free. A checkpoint, a migration and the outputs of attempts need room."""


def check(ctx: Context) -> Iterator[Finding]:
    """Look at the file system of the queue, and at that of the outputs where it is another."""
    folder = _existing(ctx.path.parent)
    yield _filesystem(folder)
    yield _room(folder, "the queue")
    logs = _existing(ctx.log_dir)
    if logs.stat().st_dev != folder.stat().st_dev:
        yield _room(logs, "outputs")


def _filesystem(folder: Path) -> Finding:
    kind = network_filesystem(folder)
    if kind is None:
        return ok("filesystem", "a disk of this machine")
    return problem(
        "filesystem",
        f"{folder} is on {kind}, a network file system: SQLite's locks and shared memory don't work there",
        "stop the workers and move the queue to a local disk; each machine needs one of its own",
        exit_code=4,
    )


def _room(folder: Path, whose: str) -> Finding:
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
    text = f"{format_size(free)} free for {whose}"
    advice = f"make room on the disk of {folder}: 'queuectl purge' forgets old jobs and their outputs"
    if disk.f_files and not disk.f_favail:
        return problem("disk", f"no inode is free for {whose}", advice, exit_code=4)
    if free < TOO_LITTLE:
        return problem("disk", text, advice, exit_code=4)
    return warning("disk", text, advice) if free < LITTLE else ok("disk", text)


def _existing(folder: Path) -> Path:
    return next(above for above in (folder, *folder.parents) if above.is_dir())
