"""The outputs: whether each file has its attempt, and each attempt its file."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from queuectl.rules.units import format_size
from queuectl.service.context import Context
from queuectl.service.doctor.finding import Finding, counted, ok, some, warning
from queuectl.store.health import Health

SETTLED_S = 60
"""What has been changed since may be written of in the queue any moment."""
AT_A_TIME = 1_000

_OF_ATTEMPT = re.compile(r"(\d{1,18})-(\d{1,18})\.log")
_OF_WORKER = re.compile(r"([0-9a-f]{8}-[0-9a-f-]{27})-\d+\.log")


def check(ctx: Context, *, quick: bool) -> Iterator[Finding]:
    """Find files without an attempt, and, unless `quick`, attempts without their file."""
    folder = ctx.log_dir
    files = {path.name: path.stat().st_size for path in _settled(folder)} if folder.is_dir() else {}
    stray = sorted(_strays(ctx, files))
    gone = (
        []
        if quick
        else [
            name
            for name in Health(ctx.store.database).kept_outputs()
            if not (folder / Path(name).name).exists()
        ]
    )
    if stray:
        size = format_size(sum(files[name] for name in stray))
        text = f"{counted(len(stray), 'file')} ({size}) in {folder} belong to no attempt: {some(stray)}"
        yield warning(
            "outputs", text, f"nothing needs them: cd {shlex.quote(str(folder))} && rm {some(stray)}"
        )
    if gone:
        text = f"{counted(len(gone), 'output')} of attempts are gone from {folder}: {some(gone)}"
        yield warning(
            "outputs", text, "only their last 64 KiB are left, in the queue; keep the folder with the queue"
        )
    if not stray and not gone:
        yield ok("outputs", f"{counted(len(files), 'file')}, {format_size(sum(files.values()))}")


def _settled(folder: Path) -> Iterator[Path]:
    before = time.time() - SETTLED_S
    return (path for path in folder.iterdir() if path.is_file() and path.stat().st_mtime < before)


def _strays(ctx: Context, names: Iterable[str]) -> Iterator[str]:
    health = Health(ctx.store.database)
    workers = {worker.id for worker in ctx.store.workers.list()} | set(ctx.store.workers.abandoned())
    of_attempts: dict[tuple[int, int], str] = {}
    for name in names:
        if found := _OF_ATTEMPT.fullmatch(name):
            of_attempts[int(found[1]), int(found[2])] = name
        elif (found := _OF_WORKER.fullmatch(name)) and found[1] not in workers:
            yield name
    keys = list(of_attempts)
    for start in range(0, len(keys), AT_A_TIME):
        some_keys = keys[start : start + AT_A_TIME]
        known = health.known_attempts(some_keys)
        yield from (of_attempts[key] for key in some_keys if key not in known)
