"""startup: whole commands, as a shell script or a person calls them."""

from __future__ import annotations

import subprocess
import sys
import time
from functools import partial
from pathlib import Path

from benchmarks.harness.figure import Figure, at_most
from benchmarks.harness.processes import QUEUECTL, surroundings
from benchmarks.harness.rounds import interleaved
from benchmarks.harness.setting import Setting

TITLE = "Start-up: the wall time of a whole command"
_PYTHON, _CLICK, _ENQUEUE = "python -c pass", "python -c 'import click'", "queuectl enqueue true"
_OVER_PYTHON = at_most(60)


def run(setting: Setting) -> list[Figure]:
    """Measure each command in turn, many times."""
    with setting.turn() as folder:
        env = surroundings(QUEUECTL_DB=str(folder / "queue.db"))
        commands = {
            _PYTHON: [sys.executable, "-c", "pass"],
            _CLICK: [sys.executable, "-c", "import click"],
            _ENQUEUE: [QUEUECTL, "enqueue", "true"],
            "queuectl list": [QUEUECTL, "list"],
            "queuectl status": [QUEUECTL, "status"],
        }
        for argv in commands.values():  # what is compiled or cached once isn't measured
            _milliseconds(argv, env, folder)
        measured = {name: partial(_milliseconds, argv, env, folder) for name, argv in commands.items()}
        found = interleaved(setting, measured, times=setting.size(40, 3)).found
    bare = found.pop(_PYTHON)
    over = {
        name: [mine - its for mine, its in zip(values, bare, strict=True)] for name, values in found.items()
    }
    return [
        Figure.of("whole command", _PYTHON, "ms", bare),
        *(Figure.of("whole command", name, "ms", values) for name, values in found.items()),
        *(
            Figure.of(
                "more than Python", name, "ms", values, target=_OVER_PYTHON if name == _ENQUEUE else None
            )
            for name, values in over.items()
        ),
    ]


def _milliseconds(argv: list[str], env: dict[str, str], folder: Path) -> float:
    before = time.perf_counter()
    subprocess.run(argv, env=env, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - before) * 1000
