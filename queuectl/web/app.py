"""The application: its routes, and what stands around them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware

from queuectl.model.version import VERSION
from queuectl.web import events, health, metrics
from queuectl.web.api import router as api_router
from queuectl.web.assets import Assets
from queuectl.web.following import Readers
from queuectl.web.guard import Guard
from queuectl.web.head import Head
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
    app.include_router(metrics.router)
    app.include_router(health.router)
    for router in page_routers:
        app.include_router(router, include_in_schema=False)
    app.mount("/static", Assets(directory=STATIC), name="static")
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=5)  # no event streams
    app.add_middleware(Head)
    app.add_middleware(Guard, site=site)  # the last one added is the first one met
    return app
