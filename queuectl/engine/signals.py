"""Signals and sleep: the one place where the loop waits."""

from __future__ import annotations

import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Self

from queuectl.store.database import WakeUps

OnWake = Callable[[], int | None]
"""Called once for all wake-ups that came. Returns for how many milliseconds no more of them need be heard."""

_LONG_MS = 3_600_000
_stops_caught = 0
CAUGHT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)


def stops_caught() -> int:
    """Return how many signals that ask this process to end it has caught so far."""
    return _stops_caught


class Signals:
    """Catches signals while it is entered, and sleeps until one comes or a deadline passes.

    Must be entered in the main thread, where Python delivers signals. `last`: nothing but the end of the process
    follows, so those that ask for it are ignored from then on instead of cutting it short.
    """

    def __init__(self, *, last: bool = False) -> None:
        self._last = last
        self._reader, self._writer = socket.socketpair()
        for end in (self._reader, self._writer):
            end.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._reader, selectors.EVENT_READ)
        self._before: dict[signal.Signals, object] = {}
        self._wakeup_before = -1
        self._resting: dict[WakeUps, tuple[int, OnWake]] = {}
        """Until when these aren't heard, in milliseconds of the monotonic clock."""

    def __enter__(self) -> Self:
        self._wakeup_before = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in CAUGHT:
            self._before[number] = signal.signal(number, _noted)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, CAUGHT)  # who started this process may have blocked them
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            ends = self._last and number is not signal.SIGCHLD
            signal.signal(number, signal.SIG_IGN if ends else handler)  # type: ignore[arg-type]
        signal.set_wakeup_fd(self._wakeup_before)
        self._selector.close()
        self._reader.close()
        self._writer.close()

    def hear(self, wake_ups: WakeUps, on_wake: OnWake) -> None:
        """Let wake-ups end a sleep, too."""
        self._selector.register(wake_ups, selectors.EVENT_READ, (wake_ups, on_wake))

    def ignore(self, wake_ups: WakeUps) -> None:
        """Hear these no more; call it before they are closed. Those that are not heard are no error."""
        self._resting.pop(wake_ups, None)
        with suppress(KeyError, ValueError):
            self._selector.unregister(wake_ups)

    def let_go(self) -> None:
        """In a child made by fork: leave what is the parent's to the parent. Signals must be blocked until then."""
        signal.set_wakeup_fd(-1)
        with suppress(OSError):  # a kqueue does not cross a fork
            self._selector.close()
        self._reader.close()
        self._writer.close()

    def wait(self, milliseconds: int) -> Iterable[signal.Signals]:
        """Sleep until a signal or a wake-up comes, at most this long. Return the signals that came, in order."""
        numbers: list[signal.Signals] = []
        milliseconds = min(milliseconds, self._hear_again())
        for key, _ in self._selector.select(max(0, milliseconds) / 1000):
            if key.data is None:
                numbers += self._caught()
            else:
                wake_ups, on_wake = key.data
                wake_ups.drain()
                if rest := on_wake():
                    self.ignore(wake_ups)
                    self._resting[wake_ups] = _now() + rest, on_wake
        return numbers

    def _hear_again(self) -> int:
        """Hear those whose rest is over. Return for how many milliseconds others still rest."""
        now = _now()
        for wake_ups, (until, on_wake) in list(self._resting.items()):
            if until <= now:
                del self._resting[wake_ups]
                self.hear(wake_ups, on_wake)
        return min((until - now for until, _ in self._resting.values()), default=_LONG_MS)

    def _caught(self) -> Iterable[signal.Signals]:
        try:
            numbers = self._reader.recv(4096)
        except BlockingIOError:
            return []
        return [signal.Signals(number) for number in numbers]


def _now() -> int:
    return time.monotonic_ns() // 1_000_000


def _noted(number: int, _frame: FrameType | None) -> None:
    """Count a stop; which signal it was has been written to the socket, where the loop reads it."""
    global _stops_caught  # noqa: PLW0603  of the process, like its signals
    _stops_caught += number != signal.SIGCHLD
