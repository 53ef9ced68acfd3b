"""Watch spec files and apply them again when they change; a broken file never takes down what runs."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from queuectl.engine.journal import event
from queuectl.model.errors import QueuectlError, StoreUnavailableError
from queuectl.service.context import Context

_LONG_S = 0.02
"""A look that takes longer holds up the worker."""
_RESTS = 50
"""After one, so many times as long."""

_Seen = tuple[tuple[str, int, int, int], ...]


class Watch:
    """The files below some paths, as they were when they were last applied.

    Not `active`: a worker beside this one watches them.
    """

    def __init__(self, ctx: Context, paths: tuple[Path, ...], *, active: bool = True) -> None:
        self.paths = paths
        self.active = active
        self._ctx = ctx
        self._seen = _look_at(paths)
        self._owed = False
        """The store could not take the last apply."""
        self._rests_until = 0.0

    def look(self) -> None:
        """Apply the paths if any file has changed since."""
        if self.paths and self.active and (self._owed or self._have_changed()):
            self.apply()

    def apply(self) -> None:
        """Apply the paths now. What is wrong with them is logged; the queue then stays as it was.

        Where it is the store that is busy or full, the next look tries again.
        """
        from queuectl.service.apply import apply  # noqa: PLC0415  heavy, and most runs watch nothing

        owed, self._owed = self._owed, False
        self._seen = _look_at(self.paths)
        try:
            plan = apply(self._ctx, self.paths).plan
        except StoreUnavailableError as error:
            self._owed = True
            if not owed:
                event("apply waits", level=logging.WARNING, reason=str(error))
            return
        except (QueuectlError, OSError) as error:
            event("apply refused", level=logging.ERROR, reason=str(error))
            return
        event(
            "applied",
            created=len(plan.created),
            updated=len(plan.updated),
            orphaned=len(plan.orphaned) or None,
        )

    def _have_changed(self) -> bool:
        """Look at the files; of very many not at every call, because the worker is held up meanwhile."""
        started = time.monotonic()
        if started < self._rests_until:
            return False
        have_changed = _look_at(self.paths) != self._seen
        took = time.monotonic() - started
        if took > _LONG_S:
            self._rests_until = started + took * _RESTS
        return have_changed


def _look_at(paths: tuple[Path, ...]) -> _Seen:
    return tuple(sorted(entry for path in paths for entry in _files(str(path))))


def _files(path: str) -> Iterator[tuple[str, int, int, int]]:
    try:
        status = os.lstat(path)
    except OSError:
        return
    if os.path.isdir(path):  # noqa: PTH112  the same; a link to a folder counts as one
        yield from _below(path)
    else:
        yield _stamp(path, status)


def _below(folder: str) -> Iterator[tuple[str, int, int, int]]:
    folders = [folder]  # no function that calls itself: they may be nested deeper than that can go
    while folders:
        with suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                    continue
                with suppress(OSError):
                    yield _stamp(entry.path, entry.stat(follow_symlinks=False))


def _stamp(path: str, status: os.stat_result) -> tuple[str, int, int, int]:
    return path, status.st_mtime_ns, status.st_size, status.st_ino
