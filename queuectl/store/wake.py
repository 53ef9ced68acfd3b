"""Wake-ups among the processes of one SQLite queue: a datagram socket for each worker, beside the database.

A datagram says no more than "look again", and who gets none looks once per poll interval all the same: so what
goes wrong here never fails a command, and never delays it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _socket import socket

_ENDING = ".sock"
_LONGEST_ADDRESS = 107 if sys.platform == "linux" else 103
"""Bytes that the system has room for in the address of a socket."""
_AT_A_TIME = 64
"""Datagrams drained before the worker goes on: a storm of them must not hold it up."""
_TRIES = 3
"""To make a socket."""


def wake_folder(database: str) -> str:
    """Return the path of the folder with the sockets of a queue's workers, which is there while there are any."""
    return os.path.realpath(database).removesuffix(".db") + ".wake"


class WakeSockets:
    """The sockets of the workers of one queue.

    They lie in `queue.wake` beside queue.db, a folder of mode 0700: the processes of one user wake each other, and
    those of other users poll.
    """

    def __init__(self, database: str) -> None:
        self._folder = wake_folder(database)
        self._sender: socket | None = None
        self._own: Listener | None = None

    def wake_others(self) -> None:
        """Wake every worker but this process itself. Sockets that nobody holds any more are removed."""
        if not os.access(
            self._folder, os.F_OK
        ):  # mostly there is none, and this is the cheapest way to see it
            return
        try:
            names = os.listdir(self._folder)  # noqa: PTH208  as above
        except OSError:
            return
        own = self._own.name if self._own else None
        others = [name for name in names if name.endswith(_ENDING) and name != own]
        if others:
            with suppress(OSError), _addresses(self._folder) as folder:
                for name in others:
                    self._wake(f"{folder}/{name}")

    def listen(self) -> Listener:
        """Make this process's socket, where it has none yet. Raises OSError where there can be none."""
        self._own = self._own or self._listen()
        return self._own

    def close(self) -> None:
        """Remove this process's socket, and the folder with the last one."""
        if self._sender:
            self._sender.close()
            self._sender = None
        if self._own:
            self._own.close()
            self._own = None
            with suppress(OSError):  # it isn't empty
                os.rmdir(self._folder)  # noqa: PTH106

    def _listen(self) -> Listener:
        for _ in range(_TRIES - 1):
            with suppress(FileNotFoundError):  # the last one to leave removed the folder just now
                return self._make()
        return self._make()

    def _make(self) -> Listener:
        with suppress(FileExistsError):
            os.mkdir(self._folder, 0o700)  # noqa: PTH102
        return Listener(self._folder)

    def _wake(self, address: str) -> None:
        self._sender = self._sender or _datagram_socket()
        try:
            self._sender.sendto(b"\0", address)
        except ConnectionRefusedError:
            with suppress(OSError):
                os.unlink(address)  # noqa: PTH108
        except OSError:
            pass  # full: it has enough to wake up to; gone; another user's


class Listener:
    """A worker's socket. Raises OSError where it can't be made."""

    def __init__(self, folder: str) -> None:
        self.name = f"{os.getpid()}-{os.urandom(4).hex()}{_ENDING}"
        self._folder = folder
        self._socket = _datagram_socket()
        try:
            with suppress(OSError):  # not everywhere; the folder is private
                os.fchmod(self._socket.fileno(), 0o600)
            with _addresses(folder) as place:
                self._socket.bind(f"{place}/{self.name}")
        except BaseException:
            self._socket.close()
            raise

    def fileno(self) -> int:
        """For a selector: readable after a wake-up."""
        return self._socket.fileno()

    def drain(self) -> None:
        """Forget the wake-ups that have come; those after it make the socket readable again."""
        with suppress(OSError):  # mostly BlockingIOError: no more
            for _ in range(_AT_A_TIME):
                self._socket.recv(1)

    def close(self) -> None:
        """Remove the socket."""
        with suppress(OSError):
            os.unlink(f"{self._folder}/{self.name}")  # noqa: PTH108
        self._socket.close()


@contextmanager
def _addresses(folder: str) -> Iterator[str]:
    """Give the folder a name that is short enough for the addresses of the sockets in it.

    Raises OSError where there is none.
    """
    longest_name = len(f"/{2**31}-00000000{_ENDING}")
    if len(os.fsencode(folder)) + longest_name <= _LONGEST_ADDRESS:
        yield folder
        return
    if sys.platform != "linux":
        raise OSError(f"the path of its folder is longer than {_LONGEST_ADDRESS - longest_name} bytes")
    opened = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{opened}"
    finally:
        os.close(opened)


def _datagram_socket() -> socket:
    """Make a socket that never waits. The module `socket` would take 5–10 ms to import, this takes less than one."""
    from _socket import AF_UNIX, SOCK_DGRAM, socket  # noqa: PLC0415

    made = socket(AF_UNIX, SOCK_DGRAM)
    made.setblocking(False)
    return made
