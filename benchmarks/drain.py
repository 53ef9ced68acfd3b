"""drain: ten thousand small jobs, 4 at once, beside a loop that starts them and keeps nothing."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from benchmarks.harness.figure import Figure, at_least
from benchmarks.harness.processes import QUEUECTL, Missing, surroundings
from benchmarks.harness.rounds import Rounds, interleaved
from benchmarks.harness.setting import Setting
from benchmarks.peers.everyone import peers
from benchmarks.peers.peer import Peer

TITLE = "Drain: N × `sh -c true`, 4 at once"
_SLOTS = 4
_LOOP, _XARGS, _PARALLEL = "C posix_spawn loop", "xargs -P4", "GNU parallel -j4"
_ONE, _TWO = "queuectl", "queuectl --processes 2"
_HALVES = f"{_TWO} --slots 2"
_OF_LOOP = {_ONE: 0.70, _TWO: 0.90}
_OF_PEERS = {
    "huey, SQLite": 1.8,
    "task-spooler": 1.4,
    "celery, Redis": 4.5,
    "procrastinate, PostgreSQL": 5,
    "rq, Redis": 15,
}
_TIMEOUT_S = 600


def run(setting: Setting) -> list[Figure]:
    """Measure jobs a second: of a whole command from its start to its end, of a peer from first to last job."""
    jobs = setting.size(10_000, 60)
    few = setting.size(2_000, 20)
    sizes = {_LOOP: jobs, _ONE: jobs, _TWO: jobs, _HALVES: jobs, _XARGS: jobs, _PARALLEL: few}
    contestants: dict[str, Callable[[], float]] = {
        _LOOP: lambda: _command(setting, [setting.spawn_loop, str(jobs), str(_SLOTS)], jobs, feed=False),
        _ONE: lambda: _queuectl(setting, jobs, _SLOTS),
        _TWO: lambda: _queuectl(setting, jobs, _SLOTS, "--processes", "2"),
        _HALVES: lambda: _queuectl(setting, jobs, _SLOTS // 2, "--processes", "2"),
        _XARGS: lambda: _command(setting, ["xargs", "-P4", "-I{}", "/bin/sh", "-c", "true"], jobs),
        _PARALLEL: lambda: _command(setting, ["parallel", "--will-cite", "-j4", "-n0", "true"], few),
    }
    others = peers(setting)
    for peer in others:
        sizes[peer.name] = setting.size(peer.jobs, 8)
        contestants[peer.name] = partial(_peer, setting, peer, sizes[peer.name])
    rounds = interleaved(setting, contestants)
    notes = {peer.name: peer.note for peer in others}
    return [*_rates(rounds, sizes, notes), *_comparisons(rounds)]


def _rates(rounds: Rounds[float], sizes: dict[str, int], notes: dict[str, str | None]) -> list[Figure]:
    loop = rounds.found[_LOOP]
    figures = []
    for name, jobs in sizes.items():
        what = "jobs/s, of the loop"
        target = at_least(_OF_LOOP[name]) if name in _OF_LOOP else None
        if (reason := rounds.missing.get(name)) is not None:
            figures.append(Figure(name=what, contestant=name, unit="/s", target=target, missing=reason))
            continue
        said = (f"{jobs:,} jobs a round" if jobs < max(sizes.values()) else None, notes.get(name))
        figures.append(
            Figure.of(
                what,
                name,
                "/s",
                rounds.found[name],
                base=loop,
                against=_LOOP,
                target=target,
                note="; ".join(filter(None, said)) or None,
            )
        )
    return figures


def _comparisons(rounds: Rounds[float]) -> list[Figure]:
    figures = []
    for name, limit in _OF_PEERS.items():
        what, target = "2 processes : peer", at_least(limit, "value")
        if name not in rounds.found and name not in rounds.missing:
            continue
        if name in rounds.missing or _TWO in rounds.missing:
            figures.append(
                Figure(name=what, contestant=name, unit="×", target=target, missing="one of the two")
            )
            continue
        times = [mine / its for mine, its in zip(rounds.found[_TWO], rounds.found[name], strict=True)]
        figures.append(Figure.of(what, name, "×", times, against=name, target=target))
    return figures


def _command(setting: Setting, argv: Sequence[str], jobs: int, *, feed: bool = True) -> float:
    lines = b"\n" * jobs if argv[0] == "parallel" else b"x\n" * jobs
    with setting.turn() as folder:
        seconds, error = _timed(argv, folder, surroundings(PARALLEL_SHELL="/bin/sh"), lines if feed else b"")
    if error:
        raise Missing(error)
    return jobs / seconds


def _queuectl(setting: Setting, jobs: int, slots: int, *options: str) -> float:
    with setting.turn() as folder:
        env = surroundings(QUEUECTL_DB=str(folder / "queue.db"))
        subprocess.run(
            [QUEUECTL, "enqueue", "-"],
            env=env,
            cwd=folder,
            input=b"true\n" * jobs,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        argv = [QUEUECTL, "run", "--until-idle", "--slots", str(slots), *options]
        seconds, error = _timed(argv, folder, env, b"")
        if error and "no such option" in error.lower():
            raise Missing(error)
        if error:
            raise RuntimeError(error)
        _check(env, folder, jobs)
    return jobs / seconds


def _check(env: dict[str, str], folder: Path, jobs: int) -> None:
    status = subprocess.run(
        [QUEUECTL, "status", "-o", "json"], env=env, cwd=folder, check=True, capture_output=True
    )
    completed = json.loads(status.stdout)["jobs"]["completed"]
    if completed != jobs:
        raise RuntimeError(f"queuectl completed {completed} of {jobs} jobs")


def _peer(setting: Setting, peer: Peer, jobs: int) -> float:
    with setting.turn() as folder, peer.up(folder) as installed:
        return installed.drain(jobs, setting.stamp)


def _timed(argv: Sequence[str], folder: Path, env: dict[str, str], given: bytes) -> tuple[float, str | None]:
    """Run a command and return the seconds that it took, and its last words if it failed."""
    log, lines = folder / "log", folder / "lines"
    lines.write_bytes(given)
    with log.open("wb") as output, lines.open("rb") as source:
        before = time.perf_counter()
        try:
            done = subprocess.run(
                argv,
                env=env,
                cwd=folder,
                stdin=source,
                stdout=output,
                stderr=output,
                check=False,
                timeout=_TIMEOUT_S,
            )
        except FileNotFoundError:
            raise Missing(
                f"there is no {argv[0]} (benchmarks/prepare, or Debian: apt install {argv[0]})"
            ) from None
        seconds = time.perf_counter() - before
    if done.returncode == 0:
        return seconds, None
    words = log.read_text(errors="replace").strip().splitlines()
    return seconds, words[-1] if words else f"{argv[0]} ended with {done.returncode}"
