"""A queue in a temporary folder and its dashboard: in process for answers, in a process of its own for the rest."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urldefrag

import httpx
import pytest
from starlette.types import ASGIApp

from queuectl.service.context import Context, opened
from queuectl.web.app import create_app
from queuectl.web.site import Site
from queuectl.web.tokens import Tokens
from tests.command import Queuectl
from tests.store.conftest import Bench

TOKENS = Tokens(full="the-full-token", read="the-token-to-look")
ORIGIN = "http://127.0.0.1:8080"
"""Where the application thinks that it is."""


@pytest.fixture
def queuectl(tmp_path: Path) -> Iterator[Queuectl]:
    """The command line on the queue that the dashboard shows."""
    command = Queuectl(tmp_path)
    yield command
    command.end()


@pytest.fixture
def ctx(queuectl: Queuectl) -> Iterator[Context]:
    """The queue, open for use cases."""
    with opened(str(queuectl.db), create=True, environ=queuectl.env) as ctx:
        yield ctx


@pytest.fixture
def bench(ctx: Context) -> Bench:
    """Makes jobs in any state, through the store's verbs."""
    return Bench(ctx.store)


@pytest.fixture
def site(ctx: Context) -> Site:
    """A dashboard of the queue, whose tokens are known."""
    return Site(database=ctx.path, tokens=TOKENS, environ=ctx.environ)


@pytest.fixture
def app(site: Site) -> ASGIApp:
    return create_app(site)


@pytest.fixture
def client(app: ASGIApp) -> Iterator[httpx.Client]:
    """A program that may do everything."""
    with asking(app, TOKENS.full) as client:
        yield client


@pytest.fixture
def reader(app: ASGIApp) -> Iterator[httpx.Client]:
    """A program that may only look."""
    with asking(app, TOKENS.read) as client:
        yield client


@pytest.fixture
def stranger(app: ASGIApp) -> Iterator[httpx.Client]:
    """A program without a token."""
    with asking(app, None) as client:
        yield client


@pytest.fixture
def server(queuectl: Queuectl) -> Iterator[Server]:
    """The dashboard in a process of its own."""
    server = Server(queuectl)
    yield server
    server.stop()


def asking(app: ASGIApp, token: str | None) -> httpx.Client:
    """Return a client of the application, without a network between them."""
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    return httpx.Client(transport=InProcess(app), base_url=ORIGIN, headers=headers)


class InProcess(httpx.BaseTransport):
    """Gives each request to the application and waits for the whole answer; what streams needs a server."""

    def __init__(self, app: ASGIApp) -> None:
        self._asgi = httpx.ASGITransport(app)
        self._runner = asyncio.Runner()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._runner.run(self._answer(request))

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        answer = await self._asgi.handle_async_request(request)
        content = b"".join([part async for part in answer.aiter_raw()])
        return httpx.Response(answer.status_code, headers=answer.headers, content=content)

    def close(self) -> None:
        self._runner.close()


class Server:
    """`queuectl dashboard --port 0`, and where it answers."""

    def __init__(self, queuectl: Queuectl, *options: str) -> None:
        self._log = (queuectl.folder / "dashboard.log").open("a+")
        self.process = subprocess.Popen(
            queuectl.argv("dashboard", "--port", "0", *options),
            cwd=queuectl.folder,
            env=queuectl.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        assert self.process.stdout
        self.link = self.process.stdout.readline().strip()
        """To click: with the token that may do everything."""
        assert self.link, self.stderr()
        self.url, fragment = urldefrag(self.link)
        """Ends with a slash."""
        self.token = fragment.removeprefix("token=")

    def client(self) -> httpx.Client:
        """Return a client that may do everything, and waits ten seconds at most."""
        return httpx.Client(base_url=self.url, headers={"authorization": f"Bearer {self.token}"}, timeout=10)

    def stderr(self) -> str:
        """Return what it has said on stderr until now."""
        self._log.seek(0)
        return self._log.read()

    def stop(self) -> int:
        """End it as SIGTERM does, else by force; return its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            code = self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()
        self._log.close()
        return code
