"""The place of the queue: whether SQLite can work there, on a local disk with room."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from queuectl.rules.units import format_size
from queuectl.service.context import Context
from queuectl.service.doctor.finding import Finding, ok, problem, warning
from queuectl.store.filesystem import is_network

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


def filesystem_of(folder: Path) -> str | None:
    """Name the type of the file system that a folder is on; None where the system doesn't say."""
    import psutil  # noqa: PLC0415  only doctor asks

    place = folder.resolve()
    mounts = {Path(mount.mountpoint): mount.fstype for mount in psutil.disk_partitions(all=True)}
    return next((mounts[above] for above in (place, *place.parents) if above in mounts), None)


def _filesystem(folder: Path) -> Finding:
    kind = filesystem_of(folder)
    if not is_network(kind):
        return ok("filesystem", f"{kind or 'of unknown type'}, local")
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
