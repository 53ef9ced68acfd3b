"""A real queue in a temporary folder, with a clock that stands still until it is set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from queuectl.model.config import Config
from queuectl.service.context import Context
from queuectl.store.store import Store

NOON = 1_780_315_200_000
"""2026-06-01T12:00:00Z, a Monday."""


@dataclass
class Clock:
    """Calling it gives `now`, in ms."""

    now: int = NOON

    def __call__(self) -> int:
        return self.now

    def pass_by(self, ms: int) -> None:
        self.now += ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ctx(tmp_path: Path, clock: Clock) -> Iterator[Context]:
    path = tmp_path / "queue" / "queue.db"
    store = Store.open(path)
    assert store is not None
    yield Context(store=store, config=Config(), path=path, exists=True, now=clock, who="ada@mill")
    store.close()
