"""Serving: sockets, the link to click, and an end in good time."""

from __future__ import annotations

import asyncio
import os
import socket
from types import FrameType

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from queuectl.model.errors import UsageError
from queuectl.web.app import create_app
from queuectl.web.hosts import is_loopback
from queuectl.web.site import Site

GRACE_S = 1
"""How long open answers may take when the server is told to stop; streams end at once."""
HEADERS_S = 10
"""How long a client may take to say what it wants."""
IDLE_S = 30
MOST_CONNECTIONS = 500
_BACKLOG = 128


def serve(site: Site, listener: socket.socket, *, lifeline: int | None = None) -> None:
    """Answer requests until SIGINT or SIGTERM, or until the `lifeline` ends: a pipe that somebody holds open."""
    config = uvicorn.Config(
        create_app(site),
        http=_Impatient,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=True,
        forwarded_allow_ips="127.0.0.1,::1",
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=GRACE_S,
        limit_concurrency=MOST_CONNECTIONS,
        h11_max_incomplete_event_size=32 << 10,
    )
    with listener:
        asyncio.run(_Server(config, lifeline).serve(sockets=[listener]))


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
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        raise UsageError(
            f"can't listen on {host}:{port}: {error.strerror}; take another --port or --host"
        ) from None
    return listener


def links(site: Site, host: str, port: int) -> list[str]:
    """Return what to click: the token stands behind a #, so that browsers don't send it on."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    at = f"http://{f'[{shown}]' if ':' in shown else shown}:{port}{site.base_path}/"
    if site.tokens is None:
        return [at]
    return [f"{at}#token={site.tokens.full}", f"{at}#token={site.tokens.read}  (only to look)"]


class _Server(uvicorn.Server):
    """Ends streams as soon as it is told to stop, as they never end by themselves; being told is no failure."""

    def __init__(self, config: uvicorn.Config, lifeline: int | None) -> None:
        super().__init__(config)
        self._lifeline = lifeline

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin."""
        await super().startup(sockets)
        if self._lifeline is not None:
            asyncio.get_running_loop().add_reader(self._lifeline, self._hear, self._lifeline)

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
    """Hangs up on clients that don't get to the point (slowloris)."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.loop.call_later(HEADERS_S, self._hang_up)

    def _hang_up(self) -> None:
        if getattr(self, "cycle", None) is None and not self.transport.is_closing():
            self.transport.close()
