"""Read by a Python process at its start where PYTHONPATH leads here: its wall clock and time zones are tampered with.

Only what the machine tells a process is replaced: the process, its store and its children are real, and the
monotonic clock goes on as it is.
"""

from __future__ import annotations

import os
import sys
import time


def _move_the_wall_clock(file: str) -> None:
    """Let it be ahead by as many milliseconds as the file says whenever it is read, or stand still: `=` an instant."""
    true_ns = time.time_ns

    def time_ns() -> int:
        with open(file, encoding="ascii") as setting:  # noqa: PTH123  pathlib needn't be loaded for it
            text = setting.read()
        return int(text.lstrip("=")) * 1_000_000 + (0 if text.startswith("=") else true_ns())

    time.time_ns = time_ns
    time.time = lambda: time_ns() / 1e9


if clock := os.environ.get("TAMPERED_CLOCK"):
    _move_the_wall_clock(clock)
if os.environ.get("TAMPERED_ZONES"):
    os.environ["PYTHONTZPATH"] = ""
    sys.modules["tzdata"] = None  # type: ignore[assignment]  # it can't be imported
