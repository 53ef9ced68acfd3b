"""Signals and sleep: the one place where the loop waits."""

from __future__ import annotations

import selectors
import signal
import socket
from collections.abc import Iterable
from types import FrameType, TracebackType
from typing import Self

CAUGHT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)


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

    def __enter__(self) -> Self:
        self._wakeup_before = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in CAUGHT:
            self._before[number] = signal.signal(number, _noted)
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

    def wait(self, milliseconds: int) -> Iterable[signal.Signals]:
        """Sleep until a signal comes, at most this long. Return the signals that came, in order."""
        if not self._selector.select(max(0, milliseconds) / 1000):
            return []
        try:
            numbers = self._reader.recv(4096)
        except BlockingIOError:
            return []
        return [signal.Signals(number) for number in numbers]


def _noted(number: int, frame: FrameType | None) -> None:
    """Do nothing: the number has been written to the socket, and the loop reads it there."""
