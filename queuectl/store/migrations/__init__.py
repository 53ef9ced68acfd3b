"""Numbered changes of the schema. A file that has landed is never edited; the next one mends it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import apsw

APPLICATION_ID = 0x51756374  # "Quct"
_FILES = sorted(file for file in Path(__file__).parent.iterdir() if file.suffix == ".sql")
LATEST = len(_FILES)
"""The schema version that this queuectl writes."""


def migrate(connection: apsw.Connection, *, before: Callable[[int], object] = lambda _: None) -> None:
    """Bring the schema up to date in one transaction; a second process waits, then finds nothing to do.

    `before` is called with the version that is there, under the lock, before anything is changed: what it raises
    keeps everything as it is. Foreign keys must be off: a table that is built anew would take along what refers to it.
    """
    if schema_version(connection) == LATEST:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = schema_version(connection)
        if version < LATEST:
            before(version)
            for file in _FILES[version:]:
                connection.execute(file.read_text(encoding="utf-8"))
            connection.execute(f"PRAGMA user_version={LATEST}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def schema_version(connection: apsw.Connection) -> int:
    """Return the schema version that the database has; 0 before the first migration."""
    return int(str(connection.pragma("user_version")))
