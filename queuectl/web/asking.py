"""What a request is answered with: the open queue, for as long as the answer takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, cast

from fastapi import Depends, Request

from queuectl.model.errors import StoreUnavailableError
from queuectl.service.context import Context, opened
from queuectl.web.site import Site
from queuectl.web.tokens import Role


def site_of(request: Request) -> Site:
    """Return the dashboard that is asked."""
    return cast("Site", request.app.state.site)


def role_of(request: Request) -> Role:
    """Return what the one who asks may do, as the guard found."""
    return cast("Role", request.state.role)


def open_queue(request: Request) -> Iterator[Context]:
    """Open the queue for one request: it takes less than a millisecond, and no read outlives its answer."""
    site = site_of(request)
    with opened(str(site.database), create=False, overrides=site.overrides, environ=site.environ) as ctx:
        if not ctx.exists:  # what is done now would be done to nothing
            raise StoreUnavailableError(
                f"there is no queue at {ctx.path} any more; start the dashboard again"
            )
        yield ctx


Queue = Annotated[Context, Depends(open_queue, scope="function")]
ThisSite = Annotated[Site, Depends(site_of)]
Asker = Annotated[Role, Depends(role_of)]
