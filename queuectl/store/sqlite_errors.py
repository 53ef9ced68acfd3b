"""What SQLite and the operating system report, as errors for people: what is wrong, with which file, whose it is."""

from __future__ import annotations

import errno
import os
import pwd
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from queuectl.model.errors import (
    StoreBusyError,
    StoreFailedError,
    StoreFullError,
    StoreInvalidError,
    StoreUnavailableError,
)

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
_NO_ROOM_FOR_SHM = (apsw.SQLITE_IOERR_SHMSIZE, apsw.SQLITE_IOERR_SHMMAP)
"""What SQLite says when the file beside the queue that all processes share can't grow."""


@contextmanager
def telling(location: str) -> Iterator[None]:
    """Turn what SQLite and the operating system report into errors for people."""
    try:
        yield
    except (apsw.Error, OSError) as error:
        raise told(error, location) from None


def told(error: Exception, location: str, *, number: Callable[[], int] = lambda: 0) -> Exception:
    """Return the error for people; one that is a mistake of ours stays as it is.

    `number` asks for the errno behind what SQLite says; 0: not known.
    """
    match error:
        case apsw.BusyError() | apsw.LockedError() | apsw.ProtocolError():
            return StoreBusyError(f"{location} is busy: another process has been writing to it; try again")
        case _ if _is_full(error, number):
            return StoreFullError(f"{location}: no space left on the disk; nothing was changed")
        case apsw.NotADBError() | apsw.CorruptError():
            return _damaged(location, error)
        case apsw.SQLError() if "no such" in str(error):
            return _damaged(location, error)
        case apsw.IOError():
            return _failed(location, str(error))
        case apsw.ReadOnlyError():
            return StoreUnavailableError(f"{location} can't be written: {_out_of_reach(location)}")
        case apsw.CantOpenError() if _lacks_descriptors():
            return _unavailable(location, "too many open files (see ulimit -n)")
        case apsw.CantOpenError() | apsw.PermissionsError() | PermissionError():
            return StoreUnavailableError(f"{location} can't be opened: {_out_of_reach(location)}")
        case OSError():
            failed = error.errno == errno.EIO
            return (_failed if failed else _unavailable)(location, error.strerror or str(error))
    return error


def _is_full(error: Exception, number: Callable[[], int]) -> bool:
    if isinstance(error, apsw.IOError | apsw.CantOpenError):
        return getattr(error, "extendedresult", 0) in _NO_ROOM_FOR_SHM or number() in NO_ROOM
    return isinstance(error, apsw.FullError) or (isinstance(error, OSError) and error.errno in NO_ROOM)


def _damaged(location: str, error: Exception) -> StoreInvalidError:
    return StoreInvalidError(
        f"{location} is damaged ({error}): bring a backup back; `queuectl doctor` says how"
    )


def _unavailable(location: str, how: str) -> StoreUnavailableError:
    return StoreUnavailableError(f"{location}: {how}")


def _failed(location: str, how: str) -> StoreFailedError:
    return StoreFailedError(
        f"{location} can't be read or written ({how}): look at the disk that it is on; what was being written"
        f" counts as not written"
    )


def _lacks_descriptors() -> bool:
    """Whether a queue can't be opened for want of descriptors: it takes three, its log's and its index's too."""
    opened: list[int] = []
    try:
        while len(opened) < 3:
            opened.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError:
        return True
    finally:
        for descriptor in opened:
            os.close(descriptor)
    return False


def _out_of_reach(location: str) -> str:
    """Say which file is in the way, its mode and its owner: the queue, one beside it, or a folder above it."""
    path = Path(location).absolute()
    for place in (path, *(path.with_name(path.name + ending) for ending in ("-wal", "-shm"))):
        status = _status(place)
        if status and not os.access(place, os.R_OK | os.W_OK):
            name = "its" if place == path else f"{place} is in the way, its"
            return f"{name} mode is {_mode_and_owner(status)}"
    for folder in path.parents:
        status = _status(folder)
        if status and not os.access(folder, os.W_OK | os.X_OK):
            return f"SQLite writes beside it, and {folder} has mode {_mode_and_owner(status)}"
        if status:
            break
    status = _status(path)
    return f"its mode is {_mode_and_owner(status)}" if status else "permission denied"


def _status(place: Path) -> os.stat_result | None:
    try:
        return place.stat()
    except OSError:
        return None


def _mode_and_owner(status: os.stat_result) -> str:
    try:
        name = f" ({pwd.getpwuid(status.st_uid).pw_name})"
    except KeyError:
        name = ""
    return f"{status.st_mode & 0o777:04o}, its owner user {status.st_uid}{name}"
