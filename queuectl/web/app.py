"""The application: its routes, and what stands around them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from queuectl.model.version import VERSION
from queuectl.web import events
from queuectl.web.api import router as api_router
from queuectl.web.following import Readers
from queuectl.web.guard import Guard
from queuectl.web.live import Changes
from queuectl.web.pages import routers as page_routers
from queuectl.web.problems import handle_errors
from queuectl.web.site import Site

STATIC = Path(__file__).parent / "static"


def create_app(site: Site) -> FastAPI:
    """Return the application that shows one queue. Everything in it is behind the guard."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        app.state.changes.close()

    app = FastAPI(
        title="queuectl",
        version=VERSION,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=lifespan,
    )
    app.state.site = site
    app.state.changes = Changes(site.database)
    app.state.readers = Readers(app.state.changes)
    handle_errors(app)
    app.include_router(events.router)
    app.include_router(api_router)
    for router in page_routers:
        app.include_router(router, include_in_schema=False)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.add_middleware(Guard, site=site)
    return app
