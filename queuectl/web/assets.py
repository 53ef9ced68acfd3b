"""Assets: style and scripts. What is asked for under an address that changes with it may be kept for ever."""

from __future__ import annotations

from http import HTTPStatus

from starlette.datastructures import QueryParams
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope


class Assets(StaticFiles):
    """The files below static/; only who may look gets them, so no cache that is shared may keep one."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file, and how long it may be kept."""
        answer = await super().get_response(path, scope)
        if answer.status_code in {HTTPStatus.OK, HTTPStatus.NOT_MODIFIED}:
            is_named = "v" in QueryParams(scope["query_string"])
            answer.headers["cache-control"] = (
                "private, max-age=31536000, immutable" if is_named else "private, no-cache"
            )
        return answer
