"""Real `queuectl` processes on a queue of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command import Queuectl


@pytest.fixture
def queuectl(tmp_path: Path) -> Iterator[Queuectl]:
    """The command line in a folder of its own."""
    command = Queuectl(tmp_path)
    yield command
    command.end()
