"""task-spooler: there is no worker to start, its server runs the first job at once. So a first job holds the others."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.harness.processes import Missing, run
from benchmarks.peers.peer import Installed, Peer

_HOLD = "hold"


class TaskSpooler(Peer):
    """Debian's `tsp`."""

    __slots__ = ()

    @contextmanager
    def up(self, folder: Path) -> Iterator[Installed]:
        """See Peer.up."""
        with self.server(folder) as env:
            installed = _Installed(peer=self, folder=folder, env=env)
            try:
                tsp = installed.found(["tsp"])
            except Missing:
                raise Missing("there is no tsp (Debian: apt install task-spooler)") from None
            try:
                run([*tsp, "-S", "4"], env=env, folder=folder, timeout=10)
                yield installed
            finally:
                (folder / _HOLD).unlink(missing_ok=True)
                subprocess.run(
                    [*tsp, "-K"], env=env, cwd=folder, check=False, capture_output=True, timeout=10
                )


class _Installed(Installed):
    __slots__ = ()

    def fill(self, commands: Sequence[str]) -> float:
        """See Installed.fill."""
        (self.folder / _HOLD).touch()
        self._tsp("-S", "1")
        self._tsp("/bin/sh", "-c", f"while [ -e {_HOLD} ]; do sleep 0.01; done")
        return super().fill(commands)

    @contextmanager
    def working(self) -> Iterator[None]:
        """See Installed.working."""
        self._tsp("-S", "4")
        (self.folder / _HOLD).unlink(missing_ok=True)
        yield None

    def _tsp(self, *what: str) -> None:
        run(self.found(["tsp", *what]), env=self.env, folder=self.folder, timeout=10)
