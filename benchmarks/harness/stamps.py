"""The pipe through which jobs tell when they started. Needs the standard library only: peers' Pythons use it too."""

from __future__ import annotations

import os
import select
import time
from pathlib import Path
from types import TracebackType
from typing import Self


class Stamps:
    """Reads what `stamp FIFO` writes, in a `with` block."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "stamps"
        os.mkfifo(self.path)
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_NONBLOCK)  # also a writer: so it never ends
        self._read = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)
        self.path.unlink(missing_ok=True)

    def next(self, timeout: float) -> int:
        """Wait for the next stamp, in nanoseconds since the epoch. TimeoutError."""
        until = time.monotonic() + timeout
        while b"\n" not in self._read:
            if not select.select([self._descriptor], [], [], max(0.0, until - time.monotonic()))[0]:
                raise TimeoutError(f"no job started within {timeout:g} s")
            self._read += os.read(self._descriptor, 4096)
        line, _, self._read = self._read.partition(b"\n")
        return int(line)
