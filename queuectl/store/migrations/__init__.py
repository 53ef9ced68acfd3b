"""Numbered changes of the schema. A file that has landed is never edited; the next one mends it."""

from __future__ import annotations

from pathlib import Path

import apsw

APPLICATION_ID = 0x51756374  # "Quct"
_FILES = sorted(file for file in Path(__file__).parent.iterdir() if file.suffix == ".sql")
LATEST = len(_FILES)
"""The schema version that this queuectl writes."""


def migrate(connection: apsw.Connection) -> None:
    """Bring the schema up to date in one transaction; a second process waits, then finds nothing to do."""
    if schema_version(connection) == LATEST:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for number in range(schema_version(connection), LATEST):
            connection.execute(_FILES[number].read_text(encoding="utf-8"))
        connection.execute(f"PRAGMA user_version={LATEST}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def schema_version(connection: apsw.Connection) -> int:
    """Return the schema version that the database has; 0 before the first migration."""
    return int(str(connection.pragma("user_version")))
