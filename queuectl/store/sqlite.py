"""SQLite as the store's database: durable, private, and never re-created by mistake."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apsw

from queuectl.model.errors import ConflictError, StoreInvalidError
from queuectl.store.database import Row, log_warning
from queuectl.store.migrations import LATEST, migrate, schema_version
from queuectl.store.newborn import sync
from queuectl.store.opening import blank, build, check_version, look, refuse_network, remarks
from queuectl.store.queries import queries
from queuectl.store.sqlite_errors import telling, told
from queuectl.store.wake import Listener, WakeSockets

LOCK_WAIT_MS = 10_000
"""How long a command waits for another writer."""
SHORTEST_STEP_S = 0.0001
LONGEST_STEP_S = 0.005
WAL_KEPT_BYTES = 64 << 20
"""To what the write-ahead log shrinks again when it has grown larger, under somebody who read for long."""


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
        self._process = os.getpid()
        self._identity = _identity(location)
        self._log_identity: tuple[int, int] | None = None
        self.remarks: list[str] = []
        self.on_damage: Callable[[str], object] = log_warning

    @classmethod
    def open(cls, path: Path, *, create: bool, durability: str = "full") -> SqliteDatabase | None:
        """Open the queue at `path`. With `create` a missing one is made, else it is None.

        Raises StoreInvalidError for anything that is no queue of this or an older version; its bytes stay as
        they are. Raises StoreUnavailableError where the file can't be reached.
        """
        with telling(str(path)):
            refuse_network(path)
            if not look(path):
                if not create:
                    return None
                build(path)
            connection = _connect(path)
            try:
                check_version(connection, path)
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute(f"PRAGMA synchronous={'NORMAL' if durability == 'normal' else 'FULL'}")
                connection.execute(f"PRAGMA journal_size_limit={WAL_KEPT_BYTES}")
                said: list[str] = []
                migrate(connection, before=lambda version: said.append(_keep_as_it_was(path, version)))
                connection.execute("PRAGMA foreign_keys=ON")
                # Else each RETURNING writes a temporary file. After the migration, which may sort a whole table.
                connection.execute("PRAGMA temp_store=MEMORY")
            except BaseException:
                connection.close()
                raise
            database = cls(connection, str(path))
            database.remarks += [*remarks(path), *said]
            return database

    @classmethod
    def open_to_look(cls, path: Path) -> SqliteDatabase | None:
        """Open the queue at `path` for reading; nothing is made or changed. None: it is missing.

        Raises as `open` does. What others write meanwhile is seen only where the queue is in use already.
        """
        with telling(str(path)):
            if not look(path):
                return None
            # Without its log nobody has it open, and a reader would make one and leave it behind.
            alone = not path.with_name(path.name + "-wal").exists()
            name = f"{path.as_uri()}?mode=ro{'&immutable=1' if alone else ''}"
            connection = apsw.Connection(name, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
            try:
                connection.set_busy_handler(_patience(LOCK_WAIT_MS))
                check_version(connection, path)
            except BaseException:
                connection.close()
                raise
        return cls(connection, str(path))

    @classmethod
    def in_memory(cls) -> SqliteDatabase:
        """Make an empty queue that nothing outlives; what reading a queue that isn't there yet gives."""
        connection = apsw.Connection(":memory:")
        connection.deserialize("main", blank())
        return cls(connection, ":memory:")

    def run(self, query: str, /, **parameters: Any) -> list[Row]:
        """See Database.run."""
        self._check_process()
        try:
            cursor = self._connection.execute(self._statements[query], parameters)
            try:
                first = next(cursor, None)
                if first is None:
                    return []
                names = self._columns.get(query, ())
                if len(names) != len(first):  # not asked for yet, or a column has come since
                    names = self._columns[query] = _names(cursor)
                return [dict(zip(names, row, strict=True)) for row in (first, *cursor)]
            except UnicodeDecodeError:
                return self._run_damaged(query, parameters, cursor)
        except (apsw.Error, OSError) as error:
            raise self._told(error) from None

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
        if _identity(self.location) != self._identity:
            return False
        log = _identity(self.location + "-wal")  # not there before the first statement
        self._log_identity = self._log_identity or log
        return log == self._log_identity

    def is_newer(self) -> bool:
        """See Database.is_newer."""
        with telling(self.location):
            return schema_version(self._connection) > LATEST

    def wal_bytes(self) -> int:
        """See Database.wal_bytes."""
        try:
            return os.stat(self.location + "-wal").st_size  # noqa: PTH116  not always a path
        except OSError:
            return 0

    def backup(self, path: str) -> None:
        """See Database.backup."""
        target = Path(path)
        self._check_process()
        with telling(path):
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
        if self._process != os.getpid():
            return
        if self._wake_sockets:
            self._wake_sockets.close()
        self._connection.close()

    def _begin(self) -> None:
        if not self._depth:
            self._check_process()
            try:
                self._connection.execute("BEGIN IMMEDIATE")
            except (apsw.Error, OSError) as error:
                raise self._told(error) from None
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
                raise self._told(error) from None
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
            found = copy.execute("PRAGMA quick_check(1)").fetchall()
            if found != [("ok",)]:  # seen now, not when it is brought back
                raise told(apsw.CorruptError(str(found[0][0]).splitlines()[-1]), self.location)
        finally:
            copy.close()
        sync(path)

    def _run_damaged(self, query: str, parameters: Row, cursor: apsw.Cursor) -> list[Row]:
        """Read again rows of which some hold text that is none: as bytes, for whoever reads them to refuse."""
        readonly, names = cursor.is_readonly, _names(cursor)
        cursor.close(True)
        if not readonly:
            raise StoreInvalidError(f"{self.location}: a row is damaged, it holds text that is no UTF-8")
        pairs = (
            f"typeof({name}), iif(typeof({name}) = 'text', CAST({name} AS BLOB), {name})" for name in names
        )
        found = self._connection.execute(
            f"SELECT {', '.join(pairs)} FROM (\n{self._statements[query]})",  # noqa: S608  our own names
            parameters,
        )
        return [dict(zip(names, map(_value, row[::2], row[1::2]), strict=True)) for row in found]

    def _told(self, error: Exception) -> Exception:
        return told(error, self.location, number=lambda: self._connection.system_errno)

    def _check_process(self) -> None:
        """Refuse to work in a process that was forked off: two that write through one connection damage the queue."""
        if self._process != os.getpid():
            raise RuntimeError(
                f"{self.location} was opened by process {self._process}, so process {os.getpid()} can't use it:"
                f" open it again there"
            )


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


def _keep_as_it_was(path: Path, version: int) -> str:
    """Copy the queue, as it is before a migration, to a file beside it; return what to tell people."""
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    target = path.with_name(f"{path.name}.schema-{version}-{moment}")
    reader = SqliteDatabase(_connect(path), str(path))
    try:
        with suppress(ConflictError):  # a try of the same second that was killed
            reader.backup(str(target))
    finally:
        reader.close()
    return f"{path} was brought from schema {version} to {LATEST}; as it was before, it is kept in {target}"


def _names(cursor: apsw.Cursor) -> tuple[str, ...]:
    return tuple([column[0] for column in cursor.get_description()])


def _value(kind: str, value: Any) -> Any:
    """Return what a column holds; bytes, where it should be text and isn't."""
    if kind != "text":
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


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
    sync(target.parent)
