"""Reads the output of an attempt: bytes, and the gaps where its middle was dropped.

A gap is a hole in the file, so the file needs no second place that says what is missing.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Gap:
    """So many bytes were dropped here to stay within `max_log`."""

    size: int


Piece = bytes | Gap
"""At most 64 KiB of output, or a gap."""


def output_name(job_id: int, attempt: int) -> str:
    """Name, below the log folder, of the file that an attempt writes to."""
    return f"{job_id}-{attempt}.log"


def read_output(path: Path) -> Iterator[Piece]:
    """Read an output from its start to where it ends now. Raises FileNotFoundError."""
    with OutputReader(path) as reader:
        yield from reader.read()


class OutputReader:
    """Reads an output on and on, also while it is written, and after its file was removed.

    An attempt with little output leaves no file: read once more when it has ended, then close.
    """

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDONLY)
        self._offset = 0

    def read(self) -> Iterator[Piece]:
        """Read from where the last read ended to where the output ends now."""
        end = os.fstat(self._fd).st_size
        if end < self._offset:  # the job emptied the file (`> /dev/stdout`)
            self._offset = 0
        while self._offset < end:
            at = self._offset
            chunk = os.pread(self._fd, min(CHUNK_BYTES, end - at), at)
            if not chunk:  # emptied just now
                return
            data_at = min(self._seek(os.SEEK_DATA, end), end)
            if data_at > at:
                self._offset = data_at
                yield Gap(data_at - at)
                continue
            # Asked after reading: what was dropped in between must not be taken for zeros.
            chunk = chunk[: self._seek(os.SEEK_HOLE, end) - at]
            if chunk:
                self._offset += len(chunk)
                yield chunk

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
            return os.lseek(self._fd, self._offset, whence)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole from here on
                return end
            return self._offset if whence == os.SEEK_DATA else end  # a file system that knows no holes
