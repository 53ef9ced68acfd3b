"""The HTTP API, below /api/v1. Its JSON shapes are those of the command line."""

from fastapi import APIRouter

from queuectl.web.api import (
    dead_letters,
    document,
    events,
    fires,
    jobs,
    logs,
    queues,
    specs,
    status,
    workers,
)
from queuectl.web.api.answering import PROBLEMS

router = APIRouter(prefix="/api/v1", responses=PROBLEMS)
for part in (jobs, logs, dead_letters, specs, fires, queues, workers, status, events, document):
    router.include_router(part.router)
