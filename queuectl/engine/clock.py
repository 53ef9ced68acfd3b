"""The two clocks: what time it is, and how much time has passed."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Read once a tick and passed down."""

    def wall(self) -> int:
        """Milliseconds since the epoch; may jump."""
        ...

    def monotonic(self) -> int:
        """Milliseconds since some instant; never jumps. Leases, time-outs and waits are counted on it."""
        ...


class SystemClock:
    """The machine's clocks."""

    def wall(self) -> int:
        """See Clock.wall."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> int:
        """See Clock.monotonic."""
        return time.monotonic_ns() // 1_000_000
