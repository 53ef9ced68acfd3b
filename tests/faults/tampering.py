"""Real processes whose wall clock a test sets, or that find no time zone data."""

from __future__ import annotations

import os
import time
from pathlib import Path

from queuectl.rules.instants import parse_instant
from tests.command import Queuectl

SITE = Path(__file__).with_name("site")


class WallClock:
    """The wall clock of all commands that a test starts: as the machine's at first, then as it is set."""

    def __init__(self, queuectl: Queuectl) -> None:
        self._file = queuectl.folder / "ahead"
        self._ahead = 0
        self.step(0)
        _tamper(queuectl, "CLOCK", str(self._file))

    def now(self) -> int:
        """Return what it says, in ms since the epoch."""
        return time.time_ns() // 1_000_000 + self._ahead

    def step(self, ms: int) -> None:
        """Move it, in all processes at once."""
        self._ahead += ms
        self._write(str(self._ahead))

    def set(self, instant: str) -> None:
        """Set it to an instant, ISO 8601."""
        self.step(parse_instant(instant, zone="UTC") - self.now())

    def stop_at(self, instant: str) -> None:
        """Let it stand still, until it is set or moved."""
        self._write(f"={parse_instant(instant, zone='UTC')}")

    def _write(self, text: str) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(text)
        new.rename(self._file)


def without_zone_data(queuectl: Queuectl) -> None:
    """Hide the time zone data from all commands that are started from now on."""
    _tamper(queuectl, "ZONES", "1")


def with_zone_data(queuectl: Queuectl) -> None:
    """Give it back."""
    del queuectl.env["TAMPERED_ZONES"]


def _tamper(queuectl: Queuectl, what: str, how: str) -> None:
    before = queuectl.env.get("PYTHONPATH")
    queuectl.env["PYTHONPATH"] = os.pathsep.join([str(SITE), *([before] if before else [])])
    queuectl.env[f"TAMPERED_{what}"] = how
