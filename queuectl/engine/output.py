"""Reads the output of an attempt: bytes, and the gaps where its middle was dropped.

A gap is a hole in the file, so the file needs no second place that says what is missing.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

CHUNK_BYTES = 64 * 1024

_RUNNING_NAME = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-\d+\.(?:log|said)")


class Gap(msgspec.Struct, frozen=True):
    """So many bytes were dropped here to stay within `max_log`."""

    size: int


Piece = bytes | Gap
"""At most 64 KiB of output, or a gap."""


def running_name(worker: str, number: int) -> str:
    """Name, below the log folder, of one of the files that a worker's attempts write to while they run."""
    return f"{worker}-{number}.log"


def said_name(running: str) -> str:
    """Name of the file in which the job that writes to this one may say something of itself."""
    return f"{running.removesuffix('.log')}.said"


def writer_of(name: str) -> str | None:
    """Return the id of the worker whose attempts write to the file of this name while they run; None: no worker's."""
    found = _RUNNING_NAME.fullmatch(name)
    return found[1] if found else None


def output_name(job_id: int, attempt: int) -> str:
    """Name, below the log folder, of the file that holds the output of an attempt that has ended."""
    return f"{job_id}-{attempt}.log"


def read_output(path: Path) -> Iterator[Piece]:
    """Read an output from its start to where it ends now. Raises FileNotFoundError."""
    with OutputReader(path) as reader:
        yield from reader.read()


class OutputReader:
    """Reads an output on and on, also while it is written, and after its file was removed.

    What an attempt writes to is the next one's when it has ended: trust what was read only if it still ran then.
    """

    def __init__(self, path: Path, offset: int = 0) -> None:
        self._fd = os.open(path, os.O_RDONLY)
        self.offset = offset
        """How far it has been read."""

    def read(self) -> Iterator[Piece]:
        """Read from where the last read ended to where the output ends now."""
        end = os.fstat(self._fd).st_size
        if end < self.offset:  # the job emptied the file (`> /dev/stdout`)
            self.offset = 0
        while self.offset < end:
            at = self.offset
            chunk = os.pread(self._fd, min(CHUNK_BYTES, end - at), at)
            if not chunk:  # emptied just now
                return
            data_at = min(self._seek(os.SEEK_DATA, end), end)
            if data_at > at:
                self.offset = data_at
                yield Gap(data_at - at)
                continue
            # Asked after reading: what was dropped in between must not be taken for zeros.
            chunk = chunk[: self._seek(os.SEEK_HOLE, end) - at]
            if chunk:
                self.offset += len(chunk)
                yield chunk

    def extent(self) -> tuple[int, list[tuple[int, int]]]:
        """Return where the output ends now, and from where to where there are gaps in it. Reads nothing."""
        end, kept, gaps = os.fstat(self._fd).st_size, self.offset, []
        self.offset = 0
        while self.offset < end:
            at = self.offset
            data_at = min(self._seek(os.SEEK_DATA, end), end)
            if data_at > at:
                gaps.append((at, data_at))
                self.offset = data_at
            else:
                self.offset = max(at + 1, self._seek(os.SEEK_HOLE, end))
        self.offset = kept
        return end, gaps

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._fd)

    def __enter__(self) -> Self:
        """Use as a context."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def _seek(self, whence: int, end: int) -> int:
        try:
            return os.lseek(self._fd, self.offset, whence)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole from here on
                return end
            return self.offset if whence == os.SEEK_DATA else end  # a file system that knows no holes
