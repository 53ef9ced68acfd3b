"""The line between a supervisor and one of its workers: orders go one way, reports the other.

When either end closes, its process is gone, however it ended: the operating system closes it.
"""

from __future__ import annotations

import socket
from typing import Any, Literal

import msgspec

Order = Literal["1", "2", "3", "a"]
"""Stop as after so many signals: finish what runs, terminate it, kill it. Or apply the watched paths, and watch on."""

_ORDERS: dict[int, Order] = {ord("1"): "1", ord("2"): "2", ord("3"): "3", ord("a"): "a"}


class Report(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far a worker is; the latest one tells everything."""

    ready: bool = False
    """It has registered."""
    ended: int = 0
    """Attempts that ended."""
    dead: int = 0
    """Jobs that died."""
    to_do: int = 0
    """Jobs of the whole queue, as this worker saw them last."""
    error: str | None = None
    """Why it ends, for people."""


class Lifeline:
    """The worker's end. A `WakeUps`: hear it in the worker's sleep."""

    def __init__(self, end: socket.socket) -> None:
        self.cut = False
        """The supervisor is gone."""
        self._end = end
        self._end.setblocking(False)
        self._orders: list[Order] = []
        self._told = Report()

    def fileno(self) -> int:
        """For a selector."""
        return self._end.fileno()

    def drain(self) -> None:
        """Take what has come."""
        came = _received(self._end)
        self.cut = came == b""
        self._orders += [_ORDERS[byte] for byte in came or b""]

    def orders(self) -> list[Order]:
        """Return the orders that were taken since the last call."""
        orders, self._orders = self._orders, []
        return orders

    def report(self, **news: Any) -> None:
        """Tell the supervisor what has changed in the Report; nobody waits for one that does not listen."""
        latest = msgspec.structs.replace(self._told, **news)
        if latest != self._told:
            self._told = latest
            _send(self._end, msgspec.json.encode(latest) + b"\n")


class Leash:
    """The supervisor's end. A `WakeUps`, too."""

    def __init__(self, end: socket.socket) -> None:
        self.report = Report()
        self.cut = False
        """The worker is gone."""
        self._end = end
        self._end.setblocking(False)
        self._unread = b""

    def fileno(self) -> int:
        """For a selector."""
        return self._end.fileno()

    def drain(self) -> None:
        """Take the reports that have come."""
        while came := _received(self._end):
            *lines, self._unread = (self._unread + came).split(b"\n")
            for line in lines[-1:]:
                self.report = msgspec.json.decode(line, type=Report)
        self.cut = came == b""

    def order(self, order: Order) -> None:
        """Tell the worker what to do."""
        _send(self._end, order.encode())

    def close(self) -> None:
        """Let go of this end."""
        self._end.close()


def _received(end: socket.socket) -> bytes | None:
    """Return what is there; b"" when the other end is closed, None when nothing has come."""
    try:
        return end.recv(4096)
    except BlockingIOError:
        return None
    except ConnectionError:
        return b""


def _send(end: socket.socket, message: bytes) -> None:
    try:
        end.send(message)
    except OSError:  # the other end is gone, which is found out elsewhere, or takes no more
        return
