"""A new file that is there whole or not at all, and never in the place of another."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NOT_HERE = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL})
"""A file system, or a kernel, that knows no files without a name."""


def write_new(path: Path, content: bytes) -> None:
    """Make a file of mode 0600, durably. FileExistsError where there is one: somebody else was first.

    Whoever is killed meanwhile leaves nothing behind where the system knows files without a name (Linux).
    """
    with _opened(path.parent, os.O_RDONLY | os.O_DIRECTORY) as folder:
        if not _without_a_name(path, content, folder):
            _under_another_name(path, content)
        os.fsync(folder)


def sync(path: Path) -> None:
    """Bring to the disk what was written to a file, or which files a folder holds."""
    with _opened(path, os.O_RDONLY) as descriptor:
        os.fsync(descriptor)


def _without_a_name(path: Path, content: bytes, folder: int) -> bool:
    """Write a file and give it its name at last. False where that can't be."""
    try:
        descriptor = os.open(path.parent, getattr(os, "O_TMPFILE", 0) | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno in _NOT_HERE:
            return False
        raise
    try:
        _fill(descriptor, content)
        os.link(f"/proc/self/fd/{descriptor}", path.name, dst_dir_fd=folder, follow_symlinks=True)
    except FileNotFoundError:  # no /proc
        return False
    finally:
        os.close(descriptor)
    return True


def _under_another_name(path: Path, content: bytes) -> None:
    partial = path.with_name(f".{path.name}.{os.urandom(8).hex()}.new")
    try:
        with _opened(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY) as descriptor:
            _fill(descriptor, content)
        os.link(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _fill(descriptor: int, content: bytes) -> None:
    with open(descriptor, "wb", closefd=False) as file:
        file.write(content)
    os.fsync(descriptor)


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
