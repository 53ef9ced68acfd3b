"""SQLite as the store's database: durable, private, and never re-created by mistake."""

from __future__ import annotations

import os
import stat
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import apsw

from queuectl.model.errors import (
    ConflictError,
    StoreBusyError,
    StoreFullError,
    StoreInvalidError,
    StoreUnavailableError,
)
from queuectl.store.database import Row
from queuectl.store.migrations import APPLICATION_ID, LATEST, migrate, schema_version
from queuectl.store.private import make_private_folder
from queuectl.store.queries import queries
from queuectl.store.wake import Listener, WakeSockets

LOCK_WAIT_MS = 10_000
"""How long a command waits for another writer."""
SHORTEST_STEP_S = 0.0001
LONGEST_STEP_S = 0.005

_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 100


class SqliteDatabase:
    """A queue in one file. Every connection is WAL with `synchronous=FULL`, unless durability is normal."""

    def __init__(self, connection: apsw.Connection, location: str) -> None:
        self.location = location
        self._connection = connection
        self._statements = queries()
        self._columns: dict[str, tuple[str, ...]] = {}
        self._transaction = _Transaction(self._begin, self._end)
        self._depth = 0
        self._announced = False
        self._wake_sockets: WakeSockets | None = None
        self._identity = _identity(location)

    @classmethod
    def open(cls, path: Path, *, create: bool, durability: str = "full") -> SqliteDatabase | None:
        """Open the queue at `path`. With `create` a missing one is made, else it is None.

        Raises StoreInvalidError for anything that is no queue of this or an older version; its bytes stay as
        they are. Raises StoreUnavailableError where the file can't be reached.
        """
        with _telling(str(path)):
            if not _look(path):
                if not create:
                    return None
                _build(path)
            connection = _connect(path)
            try:
                _check_version(connection, path)
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute(f"PRAGMA synchronous={'NORMAL' if durability == 'normal' else 'FULL'}")
                connection.execute("PRAGMA foreign_keys=ON")
                migrate(connection)
                # Else each RETURNING writes a temporary file. After the migration, which may sort a whole table.
                connection.execute("PRAGMA temp_store=MEMORY")
            except BaseException:
                connection.close()
                raise
        return cls(connection, str(path))

    @classmethod
    def in_memory(cls) -> SqliteDatabase:
        """Make an empty queue that nothing outlives; what reading a queue that isn't there yet gives."""
        connection = apsw.Connection(":memory:")
        migrate(connection)
        return cls(connection, ":memory:")

    def run(self, query: str, /, **parameters: Any) -> list[Row]:
        """See Database.run."""
        try:
            cursor = self._connection.execute(self._statements[query], parameters)
            first = next(cursor, None)
            if first is None:
                return []
            names = self._columns.get(query, ())
            if len(names) != len(first):  # not asked for yet, or a column has come since
                names = self._columns[query] = tuple([column[0] for column in cursor.get_description()])
            return [dict(zip(names, row, strict=True)) for row in (first, *cursor)]
        except (apsw.Error, OSError) as error:
            raise _told(error, self.location) from None

    def transaction(self) -> AbstractContextManager[None]:
        """See Database.transaction."""
        return self._transaction

    def announce(self) -> None:
        """See Database.announce."""
        if self._depth:
            self._announced = True
        else:
            self._sockets().wake_others()

    def listen(self) -> Listener:
        """See Database.listen."""
        return self._sockets().listen()

    def wait_for_lock(self, milliseconds: int | None) -> None:
        """See Database.wait_for_lock."""
        self._connection.set_busy_handler(_patience(LOCK_WAIT_MS if milliseconds is None else milliseconds))

    def in_place(self) -> bool:
        """See Database.in_place."""
        return _identity(self.location) == self._identity

    def backup(self, path: str) -> None:
        """See Database.backup."""
        target = Path(path)
        with _telling(path):
            if os.path.lexists(target):
                raise ConflictError(f"{path} exists already; a backup never overwrites a file")
            partial = target.with_name(f".{target.name}.{os.urandom(8).hex()}.part")
            _touch(partial)
            try:
                self._copy_to(partial)
                _link(partial, target)
            finally:
                partial.unlink(missing_ok=True)

    def close(self) -> None:
        """See Database.close."""
        if self._wake_sockets:
            self._wake_sockets.close()
        self._connection.close()

    def _begin(self) -> None:
        if not self._depth:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
            except (apsw.Error, OSError) as error:
                raise _told(error, self.location) from None
        self._depth += 1

    def _end(self, keep: bool) -> None:
        self._depth -= 1
        if self._depth:
            return
        announced, self._announced = self._announced, False
        if not keep:
            self._roll_back()
            return
        try:
            self._connection.execute("COMMIT")
        except BaseException as error:
            self._roll_back()
            if isinstance(error, apsw.Error | OSError):
                raise _told(error, self.location) from None
            raise
        if announced:
            self._sockets().wake_others()

    def _roll_back(self) -> None:
        with suppress(apsw.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def _sockets(self) -> WakeSockets:
        self._wake_sockets = self._wake_sockets or WakeSockets(self.location)
        return self._wake_sockets

    def _copy_to(self, path: Path) -> None:
        copy = apsw.Connection(str(path))
        try:
            with copy.backup("main", self._connection, "main") as backup:
                backup.step()
            copy.execute("PRAGMA journal_mode=DELETE")
        finally:
            copy.close()
        _sync(path)


class _Transaction:
    """A `with` block that is kept as a whole, or not at all where it raises."""

    __slots__ = ("_begin", "_end")

    def __init__(self, begin: Callable[[], None], end: Callable[[bool], None]) -> None:
        self._begin = begin
        self._end = end

    def __enter__(self) -> None:
        self._begin()

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._end(kind is None)


def _look(path: Path) -> bool:
    """Tell whether there is a queue at `path`, reading only, before anything that might write to it."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for, /dev/zero has no end
            raise StoreInvalidError(f"{path} is no regular file, so it is not a queue; name another file")
        with path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
    except FileNotFoundError:
        _refuse_orphaned_wal(path)
        return False
    if len(header) < _HEADER_BYTES or not header.startswith(_MAGIC):
        found = "is empty" if not header else "is no SQLite database"
        raise StoreInvalidError(f"{path} {found}, so it is no queue; it was left as it is. Name another file")
    (application,) = struct.unpack_from(">i", header, 68)
    if application != APPLICATION_ID:
        raise StoreInvalidError(
            f"{path} is a database of another program; it was left as it is. Name another file"
        )
    return True


def _refuse_orphaned_wal(path: Path) -> None:
    wal = path.with_name(path.name + "-wal")
    if wal.exists() and not path.exists():  # looked at again: another process may have made both just now
        raise StoreInvalidError(
            f"{path} is gone but its {wal.name} is still there: bring the queue's file back, or move that one away"
        )


def _build(path: Path) -> None:
    """Make a new queue under a temporary name and link it into place: nobody ever sees half of one."""
    make_private_folder(path.parent)
    partial = path.with_name(f".{path.name}.{os.urandom(8).hex()}.new")
    _touch(partial)
    try:
        connection = _connect(partial)
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        migrate(connection)
        connection.execute("PRAGMA journal_mode=WAL")  # here, where nobody else is in the way
        connection.close()
        _sync(partial)
        with suppress(FileExistsError):  # somebody else was first: theirs is as good
            _link(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _connect(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    connection.set_busy_handler(_patience(LOCK_WAIT_MS))
    return connection


def _patience(milliseconds: int) -> Callable[[int], bool]:
    """Wait for another writer by short steps: SQLite's own, of up to 0.1 s, miss the gaps that a busy worker leaves."""
    end = 0.0

    def wait(tries: int) -> bool:
        nonlocal end
        now = time.monotonic()
        if tries == 0:
            end = now + milliseconds / 1000
        if now >= end:
            return False
        time.sleep(min(end - now, SHORTEST_STEP_S * (1 + tries // 10), LONGEST_STEP_S))
        return True

    return wait


def _check_version(connection: apsw.Connection, path: Path) -> None:
    """Refuse what the header doesn't show: a newer version that stands in the write-ahead log, or nothing at all."""
    with suppress(FileNotFoundError):
        if path.with_name(path.name + "-wal").stat().st_size:  # closing would move it into the queue
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    version = schema_version(connection)
    if version > LATEST:
        raise StoreInvalidError(
            f"{path} was made by a newer queuectl (schema {version}, this one knows {LATEST}): upgrade queuectl"
        )
    if version < 1:
        raise StoreInvalidError(f"{path} holds no queue: its tables are gone. Bring a backup back")
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)


def _identity(location: str) -> tuple[int, int] | None:
    try:
        status = os.stat(location)  # noqa: PTH116  not always a path
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _touch(path: Path) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))


def _link(source: Path, target: Path) -> None:
    os.link(source, target)
    _sync(target.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _telling(location: str) -> Iterator[None]:
    """Turn what SQLite and the operating system report into errors for people."""
    try:
        yield
    except (apsw.Error, OSError) as error:
        raise _told(error, location) from None


def _told(error: Exception, location: str) -> Exception:
    """Return the error for people; one that is a mistake of ours stays as it is."""
    match error:
        case apsw.BusyError() | apsw.LockedError() | apsw.ProtocolError():
            return StoreBusyError(f"{location} is busy: another process has been writing to it; try again")
        case apsw.FullError():
            return StoreFullError(f"{location}: no space left on the disk; nothing was changed")
        case apsw.NotADBError() | apsw.CorruptError():
            return StoreInvalidError(f"{location} is damaged ({error}); bring a backup back")
        case apsw.SQLError() if "no such" in str(error):
            return StoreInvalidError(f"{location} is damaged ({error}); bring a backup back")
        case apsw.ReadOnlyError():
            return StoreUnavailableError(f"{location} can't be written: {_owner(location)}")
        case apsw.IOError():
            return StoreUnavailableError(
                f"{location} can't be read or written ({error}): look at the disk that it is on"
            )
        case apsw.CantOpenError() | apsw.PermissionsError():
            return StoreUnavailableError(f"{location} can't be opened ({error}): {_owner(location)}")
        case PermissionError():
            return StoreUnavailableError(f"{location} can't be opened: {_owner(location)}")
        case OSError():
            return StoreUnavailableError(f"{location}: {error.strerror or error}")
    return error


def _owner(location: str) -> str:
    """Say whose the file is, or the nearest folder above it that can be looked at."""
    path = Path(location).absolute()
    for place in (path, *path.parents):
        try:
            status = place.stat()
        except OSError:
            continue
        whose = "its mode is" if place == path else f"{place} has mode"
        return f"{whose} {status.st_mode & 0o777:04o}, its owner user {status.st_uid}"
    return "permission denied"
