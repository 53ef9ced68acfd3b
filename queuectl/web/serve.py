"""Serving: sockets, the link to click, and an end in good time."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from urllib.parse import quote

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from queuectl.model.errors import UsageError
from queuectl.web.app import create_app
from queuectl.web.hosts import is_loopback
from queuectl.web.site import Site

GRACE_S = 1
"""How long open answers may take when the server is told to stop; streams end at once."""
REQUEST_S = 20
"""How long a client may take to say what it wants: a request with all of its body."""
LINGER_S = 2
"""How long the rest of a body is thrown away for whoever was answered before the end of it."""
IDLE_S, CROWDED_IDLE_S = 30, 1
"""How long a connection is kept that has nothing to ask; and where half of the room is taken."""
MOST_CONNECTIONS = 500
"""Those of people and programs together; who comes then is hung up on."""
_FILES = 2048
"""What this process may have open, where the system allows it: connections, and a queue for each that is answered."""
_BACKLOG = 128
"""How many wait to be let in; and are let in at once, before any of them can be hung up on."""
_HERE = "127.0.0.1,::1,::ffff:127.0.0.1"
"""Whose X-Forwarded headers are believed: a reverse proxy on this machine."""


def serve(
    site: Site,
    listener: socket.socket,
    *,
    lifeline: int | None = None,
    ready: Callable[[], object] = lambda: None,
) -> None:
    """Answer requests until SIGINT or SIGTERM, or until the `lifeline` ends: a pipe that somebody holds open.

    `ready` is called when requests are answered, and signals are obeyed.
    """
    _allow_files()
    config = uvicorn.Config(
        create_app(site),
        http=_Impatient,
        ws="none",
        lifespan="on",
        log_config=None,
        log_level="error",  # else strangers could fill the log with what is wrong with their requests
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=True,
        forwarded_allow_ips=_HERE,
        timeout_graceful_shutdown=GRACE_S,
        backlog=_BACKLOG,
        h11_max_incomplete_event_size=32 << 10,
    )
    with listener:
        asyncio.run(_Server(config, lifeline, ready).serve(sockets=[listener]))


def listen(host: str, port: int, *, is_open: bool = False) -> socket.socket:
    """Return a socket that listens; with port 0 at any free one.

    UsageError where that can't be, or where everybody who can reach an `is_open` dashboard could do everything.
    """
    if is_open and not is_loopback(host):
        raise UsageError(
            f"--no-auth: everybody who can reach {host} could run commands here; listen on 127.0.0.1"
        )
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        listener = socket.socket(family, kind, protocol)
        with _closed_unless_kept(listener):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(_BACKLOG)
    except (OSError, UnicodeError) as error:  # such as a name that is none
        why = error.strerror if isinstance(error, OSError) else "that is no name of a host"
        raise UsageError(f"can't listen on {at(host, port)}: {why}; take another --port or --host") from None
    return listener


def links(site: Site, host: str, port: int) -> list[str]:
    """Return what to click: the token stands behind a #, so that browsers don't send it on."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    home = f"http://{at(shown, port)}{site.base_path}/"
    if site.tokens is None:
        return [home]
    full, read = (quote(token, safe="") for token in (site.tokens.full, site.tokens.read))
    return [f"{home}#token={full}", f"{home}#token={read}  (only to look)"]


def at(host: str, port: int) -> str:
    """Return a place as an address has it: `[::1]:8080`."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@contextmanager
def _closed_unless_kept(listener: socket.socket) -> Iterator[None]:
    try:
        yield
    except BaseException:
        listener.close()
        raise


def _allow_files() -> None:
    """Have more files open where a shell allows few, as on macOS."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class _Server(uvicorn.Server):
    """Ends streams as soon as it is told to stop, as they never end by themselves; being told is no failure."""

    def __init__(self, config: uvicorn.Config, lifeline: int | None, ready: Callable[[], object]) -> None:
        super().__init__(config)
        self._lifeline = lifeline
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin."""
        await super().startup(sockets)
        if self._lifeline is not None:
            asyncio.get_running_loop().add_reader(self._lifeline, self._hear, self._lifeline)
        self._ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """First signal: finish what is being answered; a second one: don't."""
        self.force_exit = self.should_exit
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End everything."""
        self.config.app.state.changes.close()  # type: ignore[union-attr]
        await super().shutdown(sockets)

    def _hear(self, lifeline: int) -> None:
        if not os.read(lifeline, 4096):
            asyncio.get_running_loop().remove_reader(lifeline)
            self.should_exit = True


class _Impatient(H11Protocol):
    """Hangs up on clients that don't get to the point (slowloris), and on those that are too many."""

    _late: asyncio.TimerHandle | None = None
    """Hangs up on a request that isn't there as a whole in time."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
        else:
            self._hurry(REQUEST_S)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._look_at_time()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP; nobody waits for an answer to what came before it any more."""
        cycle = getattr(self, "cycle", None)
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            super().send_400_response(msg)
        else:
            self.transport.abort()

    def on_response_complete(self) -> None:
        is_crowded = len(self.connections) > MOST_CONNECTIONS // 2
        self.timeout_keep_alive = CROWDED_IDLE_S if is_crowded else IDLE_S
        super().on_response_complete()
        if self.conn.their_state is h11.SEND_BODY:
            self._calm()
            self._hurry(LINGER_S)
        else:
            self._look_at_time()

    def connection_lost(self, exc: Exception | None) -> None:
        self._calm()
        super().connection_lost(exc)

    def _look_at_time(self) -> None:
        """A request has its time from its first byte to its last one."""
        state = self.conn.their_state
        if state is h11.SEND_BODY or (state is h11.IDLE and self.conn.trailing_data[0]):
            self._hurry(REQUEST_S)
        else:
            self._calm()

    def _hurry(self, seconds: float) -> None:
        if self._late is None:
            self._late = self.loop.call_later(seconds, self.transport.abort)

    def _calm(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
