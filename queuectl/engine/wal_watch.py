"""Warns when the queue's write-ahead log grows and grows."""

from __future__ import annotations

import logging

from queuectl.engine.journal import event
from queuectl.rules.units import format_size
from queuectl.store.database import Database

LARGE_BYTES = 64 << 20
"""One that has grown so large is kept from shrinking by somebody who reads."""
_WHY = "somebody has been reading for long, so that nothing can be moved out of it; fuser shows who"


class WalWatch:
    """Looks at its size: a warning where it is large, and again whenever it has doubled."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._warn_at = LARGE_BYTES

    def look(self) -> None:
        """Look now."""
        size = self._database.wal_bytes()
        if size >= self._warn_at:
            event("write-ahead log grows", level=logging.WARNING, size=format_size(size), reason=_WHY)
            self._warn_at = 2 * size
