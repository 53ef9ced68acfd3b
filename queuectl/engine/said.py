"""What a job has said of itself, in a file of its own."""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from queuectl.model.job import Said
from queuectl.rules.protocol import MAX_BYTES, parse_said


def read_said(path: str, *, keep: bool = False) -> Said | None:
    """Read what a job said, from a regular file, and remove it unless it is to be kept. None: nothing."""
    if not path:
        return None
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:  # almost always: not there
        return None
    with os.fdopen(fd, "rb") as file:
        plain = stat.S_ISREG(os.fstat(fd).st_mode)
        text = file.read(MAX_BYTES).decode("utf-8", "replace") if plain else ""
    if not keep:
        with suppress(OSError):
            os.unlink(path)  # noqa: PTH108
    return parse_said(text) if text else None
