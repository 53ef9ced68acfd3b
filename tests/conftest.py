"""What all tests share."""

from __future__ import annotations

import os

import apsw

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else each of the hundreds of commands is compiled again

# A test that opens the database beside a living worker waits for its lock, as any other process does.
apsw.connection_hooks.append(lambda connection: connection.set_busy_timeout(20_000))
