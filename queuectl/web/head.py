"""HEAD: what a GET would be answered with, without the body. So every route has it, and no stream runs for nobody."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Head:
    """Asks what is within for a GET, and hangs up on it as soon as it begins to answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["method"] == "HEAD":
            answer = _Beginning(receive, send)
            await self._app({**scope, "method": "GET"}, answer.receive, answer.send)
        else:
            await self._app(scope, receive, send)


class _Beginning:
    """The first line and the headers of an answer."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._is_sent = False

    async def receive(self) -> Message:
        return {"type": "http.disconnect"} if self._is_sent else await self._receive()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._send(message)
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
            self._is_sent = True
