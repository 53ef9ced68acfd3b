"""The SQLite library: whether several processes may trust it with a database."""

from __future__ import annotations

from collections.abc import Iterator

from queuectl.service.context import Context
from queuectl.service.doctor.finding import Finding, ok, warning
from queuectl.store import library


def check(_ctx: Context) -> Iterator[Finding]:
    """See that the library has no known bug that damages databases."""
    version = library.version()
    if library.has_wal_reset_bug(version):
        text = f"SQLite {version} has the WAL-reset bug: two processes that write at one instant may damage the queue"
        yield warning("sqlite", text, "pip install --upgrade 'apsw>=3.51.3', and start the workers again")
    else:
        yield ok("sqlite", f"version {version}")
