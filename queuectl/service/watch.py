"""Watch spec files and apply them again when they change; a broken file never takes down what runs."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

from queuectl.engine.journal import event
from queuectl.model.errors import QueuectlError, StoreUnavailableError
from queuectl.service.context import Context

_Seen = tuple[tuple[str, int, int, int], ...]


class Watch:
    """The files below some paths, as they were when they were last applied."""

    def __init__(self, ctx: Context, paths: tuple[Path, ...]) -> None:
        self.paths = paths
        self._ctx = ctx
        self._seen = _look_at(paths)
        self._owed = False
        """The store could not take the last apply."""

    def look(self) -> None:
        """Apply the paths if any file has changed since."""
        if self.paths and (self._owed or _look_at(self.paths) != self._seen):
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


def _look_at(paths: tuple[Path, ...]) -> _Seen:
    return tuple(sorted(entry for path in paths for entry in _files(path)))


def _files(path: Path) -> Iterator[tuple[str, int, int, int]]:
    if os.path.isdir(path):  # noqa: PTH112  False where Path.is_dir raises
        for folder, _, names in os.walk(path):
            for name in names:
                yield from _stamp(Path(folder, name))
    else:
        yield from _stamp(path)


def _stamp(path: Path) -> Iterator[tuple[str, int, int, int]]:
    try:
        status = path.lstat()
    except OSError:
        return
    yield str(path), status.st_mtime_ns, status.st_size, status.st_ino
