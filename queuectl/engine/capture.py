"""Keeps the output of a running attempt, which writes straight to a file, within `max_log`.

Nobody stands between the job and the file, so it is looked at now and then, and what is too much in its middle
is given back to the disk: the first and the last half stay. Between two looks a job may exceed `max_log`
by what it writes in that time (20 to 500 ms, the shorter the faster it writes).

At the end up to 64 KiB go into the attempt's row, and where there is more the file is kept under the attempt's own
name. A `max_log` of 64 KiB or less keeps no file: the row holds the last `max_log` bytes.

Making a file costs the kernel as much as a short command does, so a worker keeps a few that its attempts use in
turn. A file is emptied when the end of its attempt is in the store, and before another attempt is said to write to it:
a worker that dies in between loses no output, and nobody reads that of another.
"""

from __future__ import annotations

import errno
import os
import resource
from contextlib import suppress
from pathlib import Path

import msgspec

from queuectl.engine.holes import punch_hole
from queuectl.engine.launch import CannotStartError
from queuectl.engine.openers import only_ours
from queuectl.store.private import make_private_folder

ROW_BYTES = 64 * 1024
FIRST_LOOK_MS, MIN_LOOK_MS, MAX_LOOK_MS = 50, 20, 500
SLACK_BYTES = 1024 * 1024
"""So much above `max_log` is not worth a hurry."""
SPARE_DESCRIPTORS = 8
"""What a worker needs for itself: it looks after its processes, is woken, reads files of variables."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What is left of an output; the fields mean the same as in `AttemptEnd`."""

    output: bytes = b""
    output_bytes: int = 0
    output_file: str | None = None
    truncated: bool = False
    note: str | None = None
    """What people should know of it."""


class Capture:
    """The output of one attempt from its start to its end."""

    def __init__(self, fd: int, path: Path | None, limit: int, now: int, note: str | None = None) -> None:
        self.fd = fd
        """What the job writes to."""
        self.path = path
        """The file, while others may use it next; None where the output goes nowhere, or was kept under its name."""
        self.next_look = now + FIRST_LOOK_MS
        self._limit = limit
        self._note = note
        self._seen, self._seen_at = 0, now
        self._interval = FIRST_LOOK_MS
        self._hole_end = 0

    def look(self, now: int) -> None:
        """Drop what is too much, if a look is due, and plan the next one by how fast the output grows."""
        if now < self.next_look:
            return
        size = os.fstat(self.fd).st_size
        self._trim(size)
        self._interval = self._next_interval(size - self._seen, max(1, now - self._seen_at), size)
        self._seen, self._seen_at = size, now
        self.next_look = now + self._interval

    def finish(self, name: str) -> Kept:
        """Keep what is to be kept; `name` is that of the file where it is more than the row takes."""
        try:
            return self._finish(name)
        except OSError as error:
            return Kept(note=f"output not kept: {error.strerror}")

    def _next_interval(self, grown: int, in_ms: int, size: int) -> int:
        if grown <= 0:
            return min(2 * self._interval, MAX_LOOK_MS)
        room = max(self._limit - size, self._limit // 8, SLACK_BYTES)
        return max(MIN_LOOK_MS, min(room * in_ms // grown, MAX_LOOK_MS))

    def _trim(self, size: int) -> None:
        if size < self._hole_end:  # the job emptied the file (`> /dev/stdout`)
            self._hole_end = 0
        if size <= self._limit:
            return
        tail = max(self._limit // 2, min(self._limit, ROW_BYTES))
        block = os.fstat(self.fd).st_blksize
        start = self._hole_end or -(-(self._limit - tail) // block) * block
        end = (size - tail) // block * block
        if end <= start:
            return
        try:
            punched = punch_hole(self.fd, start, end)
        except OSError:  # interrupted, or an I/O error: the next look tries again
            return
        if punched:
            self._hole_end = end
        else:
            self._note = "output exceeds max_log: this file system can't drop the middle of a file"

    def _finish(self, name: str) -> Kept:
        if self.path is None:
            return Kept(note=self._note)
        status = os.fstat(self.fd)
        size = status.st_size
        in_row = min(ROW_BYTES, self._limit)
        output = os.pread(self.fd, in_row, max(0, size - in_row)) if size else b""
        if size <= in_row or self._limit <= ROW_BYTES:
            return Kept(output=output, output_bytes=size, truncated=size > in_row, note=self._disk_full())
        if not _is_at(status, self.path):
            note = "the output's file was removed or moved while the job ran: only the end was kept"
            return Kept(output=output, output_bytes=size, truncated=True, note=note)
        self._trim(size)
        self.path.rename(self.path.with_name(name))
        self.path = None
        return Kept(
            output=output,
            output_bytes=size,
            output_file=name,
            truncated=self._hole_end > 0,
            note=self._note or self._disk_full(),
        )

    def _disk_full(self) -> str | None:
        disk = os.fstatvfs(self.fd)
        full = disk.f_blocks > 0 and disk.f_bavail == 0
        return "the disk of the log folder is full: the output may be incomplete" if full else None


class Outputs:
    """The files that the attempts of a worker write to.

    One is used again where the system can tell that nothing has it open any more. However an attempt gave its output
    away, to a daemon of its own or to a stranger, no other attempt's is mixed with it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._free: dict[str, int | None] = {}
        """Files without an attempt, by name: empty, with the descriptor, where the next one may use it."""

    def open(self, name: str, limit: int, now: int) -> Capture:
        """Give an attempt its file; it and its folder are made where they are missing.

        Where that fails the attempt runs all the same, its output is discarded and its end says so. Only for lack
        of descriptors or memory CannotStartError is raised: the attempt would not start either.
        """
        path = self._folder / name
        try:
            return Capture(self._reused(name) or _create(path), path, limit, now)
        except OSError as error:
            if error.errno in {errno.EMFILE, errno.ENFILE, errno.ENOMEM}:
                raise CannotStartError(
                    f"no resources for a log: {_lack(error)}", out_of_resources=True
                ) from None
            note = f"output not kept: {error.strerror}"
            return Capture(os.open(os.devnull, os.O_WRONLY), None, limit, now, note)

    def let_go(self, capture: Capture) -> None:
        """Take the file back from an attempt whose end is stored, or that never started."""
        reused = capture.path is not None and _emptied(capture.fd, capture.path)
        if not reused:
            os.close(capture.fd)
        if capture.path is not None:
            self._free[capture.path.name] = capture.fd if reused else None

    def remove(self) -> None:
        """Remove the files that no attempt writes to."""
        for name, fd in self._free.items():
            if fd is not None:
                os.close(fd)
            with suppress(OSError):
                (self._folder / name).unlink()
        self._free.clear()

    def _reused(self, name: str) -> int | None:
        fd = self._free.pop(name, None)
        if fd is not None and not _is_at(os.fstat(fd), self._folder / name):  # removed or moved meanwhile
            os.close(fd)
            return None
        return fd


def _emptied(fd: int, path: Path) -> bool:
    """Empty a file for the next attempt. False where it can't be the next one's: a new one is made then."""
    try:
        status = os.fstat(fd)
        if not _is_at(status, path) or not only_ours(fd):
            return False
        if status.st_size:
            os.truncate(fd, 0)
    except OSError:
        return False
    return True


def _is_at(status: os.stat_result, path: Path) -> bool:
    """Whether a file is still the one, and only, of this name: a job may do what it likes with its own."""
    try:
        return status.st_nlink == 1 and os.path.samestat(status, path.lstat())
    except OSError:
        return False


def _create(path: Path) -> int:
    """Make a file and open it. OSError (EMFILE) also while there is a last descriptor: the worker needs some, too."""
    fd = _made(path)
    if fd >= _most_descriptors() - SPARE_DESCRIPTORS:
        os.close(fd)
        path.unlink()
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    return fd


def _most_descriptors() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def _lack(error: OSError) -> str:
    if error.errno == errno.EMFILE:
        return f"{error.strerror} (at most {_most_descriptors()}: see ulimit -n)"
    return f"{error.strerror}"


def _made(path: Path) -> int:
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL  # EXCL: follows no planted link either
    try:
        return os.open(path, flags, 0o600)
    except FileNotFoundError:  # the folder vanished
        make_private_folder(path.parent)
    except FileExistsError:  # of an earlier attempt, where files are not used again
        path.unlink()
    return os.open(path, flags, 0o600)
