"""Streams: answers that are made while they are sent."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from http import HTTPStatus
from typing import Any

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send


class Stream(StreamingResponse):
    """Ends what it is made from with itself, also where the client hangs up in the middle: files, a place among many.

    Without that it stays open until Python happens to look for garbage.
    """

    def __init__(
        self, content: AsyncIterator[str] | Iterator[bytes], status_code: int = HTTPStatus.OK, **more: Any
    ) -> None:  # FastAPI's document reads `status_code` here
        super().__init__(content, status_code, **more)
        self._content = content

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            if isinstance(self._content, AsyncGenerator):
                await self._content.aclose()
            elif isinstance(self._content, Generator):
                self._content.close()
