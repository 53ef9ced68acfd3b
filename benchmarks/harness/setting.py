"""The setting of a run: how much, how often, and where its files are."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from benchmarks.harness.processes import REPOSITORY, compiled, end_all_in

WORK = Path(os.environ.get("BENCH_WORK") or REPOSITORY / "benchmarks" / ".work")
"""On a real disk: what is measured is durable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a bench is given."""

    smoke: bool
    """Only that everything works, in seconds; the figures mean nothing."""
    folder: Path
    spawn_loop: str
    """The compiled C loop."""
    stamp: str
    """The compiled job that tells the time."""
    rounds: int = 5
    all_peers: bool = True
    _turns: Iterator[int] = field(default_factory=count)

    def size(self, full: int, smoke: int) -> int:
        """Return how much of something this run uses."""
        return smoke if self.smoke else full

    def say(self, text: str) -> None:
        """Tell whoever watches how far it is; "" at the end."""
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\033[K{text[:99]}")
            sys.stderr.flush()

    @contextmanager
    def turn(self) -> Iterator[Path]:
        """Give a new folder for the time of the block. Its path is short: sockets are made in it."""
        folder = self.folder / str(next(self._turns))
        folder.mkdir(mode=0o755)
        try:
            yield folder
        finally:
            end_all_in(folder)
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def opened(*, smoke: bool, all_peers: bool = True) -> Iterator[Setting]:
    """Make the setting; nothing of it is left at the end."""
    WORK.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="", dir=WORK))
    folder.chmod(0o755)  # PostgreSQL runs as another user where this one is root
    try:
        yield Setting(
            smoke=smoke,
            folder=folder,
            spawn_loop=compiled("spawn_loop.c", folder),
            stamp=compiled("stamp.c", folder),
            rounds=1 if smoke else 5,
            all_peers=all_peers,
        )
    finally:
        end_all_in(folder)
        shutil.rmtree(folder, ignore_errors=True)
