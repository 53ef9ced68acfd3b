"""What a job has said of itself, in a file of its own."""

from __future__ import annotations

import os
import stat

from queuectl.model.job import Said
from queuectl.rules.protocol import MAX_BYTES, parse_said


def read_said(path: str, *, keep: bool = False) -> Said | None:
    """Read what a job said, from a regular file, and remove it unless it is to be kept. None: nothing.

    Whatever else a job put there goes, too: the next job in this slot says what it has to say in the same place.
    """
    if not path:
        return None
    try:
        content = _content(path)
    except FileNotFoundError:  # almost always
        return None
    except OSError:  # a link, a socket, a folder: none of them says anything
        content = b""
    if not keep:
        _remove(path)
    return parse_said(content) if content else None


def _content(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        plain = stat.S_ISREG(os.fstat(fd).st_mode)
        return os.read(fd, MAX_BYTES + 1) if plain else b""
    finally:
        os.close(fd)


def _remove(path: str) -> None:
    try:
        os.unlink(path)  # noqa: PTH108  Path takes several times as long
    except IsADirectoryError:
        from shutil import rmtree  # noqa: PLC0415  hardly ever

        rmtree(path, ignore_errors=True)
    except OSError:
        pass
