from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from queuectl.engine.leftovers import kill_leftovers
from queuectl.model.states import Outcome
from tests.engine.attempts import Attempts, wait_until


def _attempts(folder: Path, *, own_process: bool) -> Iterator[Attempts]:
    attempts = Attempts(folder, own_process=own_process)
    yield attempts
    attempts.processes.kill_all(Outcome.INTERRUPTED)
    kill_leftovers(attempts.worker, [])
    wait_until(lambda: attempts.tick() == [])


@pytest.fixture
def attempts(tmp_path: Path) -> Iterator[Attempts]:
    """Attempts of a worker that has its process to itself."""
    yield from _attempts(tmp_path, own_process=True)


@pytest.fixture(params=[True, False], ids=["worker", "host"])
def any_attempts(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Attempts]:
    """Attempts of a worker process, and those inside of a host program."""
    yield from _attempts(tmp_path, own_process=request.param)
