"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The machine and the day."""

    cores: int
    kernel: str
    python: str
    date: str

    def __str__(self) -> str:
        return f"{self.cores} cores, {self.kernel}, Python {self.python}, {self.date}"


def this_machine() -> Machine:
    """Return what this run is measured on."""
    name = os.uname()
    return Machine(
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        kernel=f"{name.sysname} {name.release} {name.machine}",
        python=platform.python_version(),
        date=datetime.now(UTC).date().isoformat(),
    )
