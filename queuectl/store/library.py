"""The SQLite library that is in use."""

from __future__ import annotations

import apsw


def version() -> str:
    """Return the version of the library: `3.54.1`."""
    return apsw.sqlite_lib_version()


def has_wal_reset_bug(version: str) -> bool:
    """Tell whether two processes that write and checkpoint at the same instant may damage a queue.

    >>> [has_wal_reset_bug(version) for version in ("3.6.23", "3.7.0", "3.40.1", "3.51.2", "3.51.3", "3.54")]
    [False, True, True, True, False, False]
    """
    numbers = tuple(int(part) for part in version.split("."))
    return (3, 7, 0) <= numbers < (3, 51, 3)
