"""What is at the path of a queue: one to open, none yet, or something to be left as it is."""

from __future__ import annotations

import os
import stat
import struct
from contextlib import suppress
from functools import cache
from pathlib import Path

import apsw

from queuectl.model.errors import StoreInvalidError, StoreUnavailableError
from queuectl.store.filesystem import network_filesystem
from queuectl.store.migrations import APPLICATION_ID, LATEST, migrate, schema_version
from queuectl.store.newborn import write_new
from queuectl.store.private import make_private_folder

_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 100
_FORMAT = slice(18, 20)
"""Where the header says which version of the file format is written and read."""
_WAL = b"\2\2"


def look(path: Path) -> bool:
    """Tell whether there is a queue at `path`, reading only, before anything that might write to it.

    StoreInvalidError for what is none, or has lost its log.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for, /dev/zero has no end
            raise StoreInvalidError(f"{path} is no regular file, so it is not a queue; name another file")
        with path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
    except FileNotFoundError:
        refuse_orphaned_log(path)
        return False
    if len(header) < _HEADER_BYTES or not header.startswith(_MAGIC):
        found = "is empty" if not header else "is no SQLite database"
        raise StoreInvalidError(f"{path} {found}, so it is no queue; it was left as it is. Name another file")
    (application,) = struct.unpack_from(">i", header, 68)
    if application != APPLICATION_ID:
        raise StoreInvalidError(
            f"{path} is a database of another program; it was left as it is. Name another file"
        )
    refuse_lost_log(path)
    return True


def refuse_orphaned_log(path: Path) -> None:
    """Make no new queue where the log of another one lies."""
    log = _beside(path, "-wal")
    if log.exists() and not path.exists():  # looked at again: another process may have made both just now
        raise StoreInvalidError(
            f"{path} is gone but its {log.name} is still there: bring the queue's file back, or move that one away"
        )


def refuse_lost_log(path: Path) -> None:
    """Say that a log was deleted, instead of going on without what was written last.

    SQLite makes the log before the file of shared memory, and removes it after that one. Others may do so meanwhile:
    only what looks the same twice is believed.
    """
    log, shared = _beside(path, "-wal"), _beside(path, "-shm")
    seen = [(_number(shared), _number(log), _number(shared)) for _ in range(2)]
    if seen[0] == seen[1] and seen[0][0] is not None and seen[0][:2] == (seen[0][2], None):
        raise StoreInvalidError(
            f"{log} was deleted after a crash (its {shared.name} is still there), and with it what was written last:"
            f" bring {log.name} or a backup back, or remove {shared.name} to go on with what is left"
        )


def refuse_network(path: Path) -> None:
    """Refuse a queue that lies where SQLite's locks and shared memory don't work."""
    if kind := network_filesystem(path.parent):
        raise StoreUnavailableError(
            f"{path} is on {kind}, a network file system, where SQLite can't keep a queue that several processes use:"
            f" name a file on a local disk"
        )


def remarks(path: Path) -> list[str]:
    """Return what people should know of a queue that can be used."""
    names = path.stat().st_nlink
    if names < 2:
        return []
    way_out = "remove all but one (find -samefile finds them)"
    return [f"{path} has {names} names (hard links): used under two of them it will be damaged; {way_out}"]


def build(path: Path) -> None:
    """Make a new queue in one go: nobody ever sees half of one. Where somebody else was first, theirs is as good."""
    make_private_folder(path.parent)
    with suppress(FileExistsError):
        image = bytearray(blank())
        image[_FORMAT] = _WAL  # a change of that later is a lock that nobody waits for
        write_new(path, bytes(image))


@cache
def blank() -> bytes:
    """Return the bytes of a queue with nothing in it."""
    connection = apsw.Connection(":memory:")
    try:
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        migrate(connection)
        return connection.serialize("main")
    finally:
        connection.close()


def check_version(connection: apsw.Connection, path: Path) -> None:
    """Refuse what the header doesn't show: a newer version that stands in the write-ahead log, or nothing at all."""
    with suppress(FileNotFoundError):
        if _beside(path, "-wal").stat().st_size:  # closing would move it into the queue
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    version = schema_version(connection)
    if version > LATEST:
        raise StoreInvalidError(
            f"{path} was made by a newer queuectl (schema {version}, this one knows {LATEST}): upgrade queuectl"
        )
    if version < 1:
        raise StoreInvalidError(f"{path} holds no queue: its tables are gone. Bring a backup back")
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _number(path: Path) -> int | None:
    try:
        return os.stat(path).st_ino  # noqa: PTH116  quicker
    except OSError:
        return None
