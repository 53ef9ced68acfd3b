"""A queue of an ordinary user, whom the system refuses what it never refuses root."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.command import Queuectl
from tests.faults.machine import NOBODY, as_nobody


@contextmanager
def ordinary_users_queue() -> Iterator[Queuectl]:
    """Give the command line of such a user, in a folder that others can reach."""
    words = as_nobody()
    with tempfile.TemporaryDirectory() as temporary:
        queuectl = Queuectl(Path(temporary), before=words)
        hand_over(queuectl)
        try:
            yield queuectl
        finally:
            queuectl.end()
            for folder, folders, _ in os.walk(temporary):
                for name in (".", *folders):
                    (Path(folder) / name).chmod(0o700)


def hand_over(queuectl: Queuectl) -> None:
    """Let the user have what the test wrote into the folder."""
    if queuectl.before:
        for path in (queuectl.folder, *queuectl.folder.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
