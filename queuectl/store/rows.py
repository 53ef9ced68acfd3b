"""Rows become objects, each value checked: SQLite sees nothing wrong with a byte that changed inside of one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from queuectl.model.errors import StoreInvalidError
from queuectl.store.database import Database, Row

T = TypeVar("T")


def damaged(what: object, error: Exception, way_out: str = "restore a backup") -> StoreInvalidError:
    """Return the error for a row that can't be read."""
    return StoreInvalidError(f"{what} is damaged in the database: {error}; {way_out}")


def readable(db: Database, rows: Iterable[Row], read: Callable[[Row], T]) -> list[T]:
    """Return what can be read of some rows, and tell of the rest: one that can't be hides none of the others."""
    found = []
    for row in rows:
        try:
            found.append(read(row))
        except StoreInvalidError as error:
            db.on_damage(str(error))
    return found
