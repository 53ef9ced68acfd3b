"""A peer: how its queue is filled, how its worker is started, and what it needs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from benchmarks.harness.processes import Missing, run, running
from benchmarks.harness.stamps import Stamps
from benchmarks.peers.servers import PEERS_VENV, no_server

_FILL_S = 300
_START_S = 60
_SLOWEST = 20
"""Jobs a second; whoever is slower is given up."""
_PEERS_PYTHON = str(PEERS_VENV / "bin" / "python")


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A system whose worker runs the jobs of its queue, up to 4 at once."""

    name: str
    app: str
    """Its module in `apps`."""
    worker: tuple[str, ...]
    """The command line of its worker; empty where there is none."""
    server: Callable[[Path], AbstractContextManager[dict[str, str]]] = no_server
    package: str | None = None
    """Its Python package; None runs with this project's own Python."""
    set_up: tuple[str, ...] = ()
    """What is run once before the first job."""
    jobs: int = 0
    """How many a round of `drain` gives it: some seconds' worth."""
    stop: signal.Signals = signal.SIGTERM
    note: str | None = None

    @contextmanager
    def up(self, folder: Path) -> Iterator[Installed]:
        """Give the peer with its server up and its queue empty. Missing when that can't be had."""
        version = None if self.package is None else _version(self.package)
        with self.server(folder) as env:
            if version is not None:
                env["PATH"] = f"{PEERS_VENV / 'bin'}{os.pathsep}{env['PATH']}"
            installed = Installed(peer=self, folder=folder, env=env)
            if self.set_up:
                run(installed.found(self.set_up), env=env, folder=folder, timeout=_START_S)
            yield installed


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A peer that is up, in a folder of its own."""

    peer: Peer
    folder: Path
    env: dict[str, str]

    def fill(self, commands: Sequence[str]) -> float:
        """Enqueue shell commands in a loop, and return how many seconds the loop took."""
        lines = "".join(f"{command}\n" for command in commands).encode()
        return float(self._drive("fill", given=lines, timeout=_FILL_S))

    def pace(self, count: int, stamp: str) -> list[float]:
        """Enqueue jobs one at a time while a worker is up; return the milliseconds until each started."""
        return [float(line) for line in self._drive("pace", str(count), stamp, timeout=_FILL_S).splitlines()]

    def drain(self, jobs: int, stamp: str) -> float:
        """Run `jobs` × `sh -c true` that wait in the queue; return jobs a second from the first to the last start."""
        with Stamps(self.folder) as stamps:
            tell = f"{stamp} {stamps.path}"
            self.fill([tell, *["true"] * jobs, tell])
            with self.working():
                try:
                    first = stamps.next(_START_S)
                    last = stamps.next(_START_S + jobs / _SLOWEST)
                except TimeoutError as error:
                    raise Missing(str(error)) from None
        return jobs / (last - first) * 1e9

    @contextmanager
    def working(self) -> Iterator[subprocess.Popen[bytes] | None]:
        """Have its worker run for the time of the block."""
        if not self.peer.worker:
            yield None
            return
        argv = self.found(self.peer.worker)
        with running(argv, env=self.env, folder=self.folder, stop=self.peer.stop) as process:
            yield process

    def found(self, argv: Sequence[str]) -> list[str]:
        """Return a command line with the path of its program."""
        program = shutil.which(argv[0], path=self.env["PATH"])
        if program is None:
            raise Missing(f"there is no {argv[0]}")
        return [program, *argv[1:]]

    def _drive(self, *what: str, timeout: float, given: bytes | None = None) -> str:
        python = sys.executable if self.peer.package is None else _PEERS_PYTHON
        argv = [python, "-m", "benchmarks.apps.driver", self.peer.app, *what]
        return run(argv, env=self.env, folder=self.folder, given=given, timeout=timeout).decode()


@cache
def _version(package: str) -> str:
    """Return the version of a package of the peers."""
    question = f"import {package}; from importlib.metadata import version; print(version('{package}'))"
    try:
        asked = subprocess.run([_PEERS_PYTHON, "-c", question], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        raise Missing(f"{package} is not in {PEERS_VENV.name} (benchmarks/prepare installs it)") from None
    return asked.stdout.strip()
