"""Waits for something in the queue, by looking again at growing intervals."""

from __future__ import annotations

import time
from collections.abc import Callable

from queuectl.model.errors import QueuectlError

FIRST_LOOK_S, LAST_LOOK_S = 0.01, 0.2

Sleep = Callable[[float], object]
"""Sleeps for so many seconds."""


class WaitTimeoutError(QueuectlError):
    """What was waited for did not happen in the given time. Nothing was changed by the waiting."""


def until(reached: Callable[[], bool], *, timeout_ms: int | None = None, sleep: Sleep = time.sleep) -> bool:
    """Look until `reached()`, at most `timeout_ms` (None: for ever) on a clock that doesn't jump.

    Returns whether it was reached.
    """
    deadline = None if timeout_ms is None else time.monotonic() + timeout_ms / 1000
    interval = FIRST_LOOK_S
    while not reached():
        left = interval if deadline is None else deadline - time.monotonic()
        if left <= 0:
            return False
        sleep(min(interval, left))
        interval = min(interval * 1.5, LAST_LOOK_S)
    return True
