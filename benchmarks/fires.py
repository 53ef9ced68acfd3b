"""fires: ten thousand specs that are due at the same instant."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import apsw

from benchmarks.harness.figure import Figure, at_most
from benchmarks.harness.processes import QUEUECTL, run_or_die, running, surroundings
from benchmarks.harness.setting import Setting
from benchmarks.harness.stamps import Stamps
from queuectl.queue import Queue

TITLE = "Fires: specs due at the same instant"
_PROBE_S = 0.1
_BEFORE_S, _AFTER_S = 3.0, 1.0
_LOOK_S = 0.01
_GIVE_UP_S = 60
_SPEC = """\
command: "true"
queue: fired
schedule: {{{due}, overlap: allow}}
"""


@dataclass(frozen=True, slots=True)
class _Instant:
    """What happened around one instant."""

    all_fired_ms: float
    usual_ms: float
    """The median time to start of the other jobs before it."""
    worst_ms: float
    """The longest of those while it fired."""


def run(setting: Setting) -> list[Figure]:
    """Watch instants go by: the worker fires, and serves a queue with another job every 100 ms, not what it fired."""
    specs = setting.size(10_000, 20)
    instants: list[_Instant] = []
    with setting.turn() as folder:
        env = surroundings(QUEUECTL_DB=str(folder / "queue.db"))
        _write_specs(folder / "specs", specs, "every: 4s" if setting.smoke else 'cron: "* * * * *"')
        setting.say(f"applying {specs:,} specs")
        run_or_die([QUEUECTL, "apply", str(folder / "specs"), "--yes"], env=env, folder=folder)
        with running([QUEUECTL, "run", "--queue", "probe"], env=env, folder=folder):
            _warm_up(folder, setting.stamp)
            for number in range(setting.size(3, 1)):
                setting.say(f"instant {number + 1}: waiting for it")
                instants.append(_watched(folder, specs, setting.stamp))
    setting.say("")
    name = f"{specs:,} specs"
    late = [instant.all_fired_ms for instant in instants]
    usual = [instant.usual_ms for instant in instants]
    worst = [instant.worst_ms for instant in instants]
    delay = [instant.worst_ms - instant.usual_ms for instant in instants]
    return [
        Figure.of(name, "all fired after", "ms", late, target=at_most(2_000)),
        Figure.of("another job's start", "before", "ms", usual, note="median time from enqueue to start"),
        Figure.of("another job's start", "while they fire", "ms", worst, note="the longest of them"),
        Figure.of("another job's start", "delayed by", "ms", delay, target=at_most(100)),
    ]


def _write_specs(folder: Path, specs: int, due: str) -> None:
    folder.mkdir()
    for number in range(specs):
        (folder / f"spec-{number}.yaml").write_text(_SPEC.format(due=due))


def _warm_up(folder: Path, stamp: str) -> None:
    """Wait until the worker is up and has caught up with what was due."""
    with Stamps(folder) as stamps, Queue(folder / "queue.db") as queue:
        queue.enqueue(f"{stamp} {stamps.path}", queue="probe")
        stamps.next(_GIVE_UP_S)


def _watched(folder: Path, specs: int, stamp: str) -> _Instant:
    """Wait for the next instant that is far enough away, and watch it."""
    connection = apsw.Connection(str(folder / "queue.db"), flags=apsw.SQLITE_OPEN_READONLY)
    instant = _next_instant(connection)
    over = threading.Event()
    planned: list[float] = []
    with Stamps(folder) as stamps:
        time.sleep(max(0.0, instant - _BEFORE_S - time.time()))
        prober = threading.Thread(target=_probe, args=(folder, f"{stamp} {stamps.path}", planned, over))
        prober.start()
        try:
            all_fired = _fired(connection, instant, specs)
            time.sleep(_AFTER_S)
        finally:
            over.set()
            prober.join()
        started = sorted(stamps.next(_GIVE_UP_S) / 1e9 for _ in planned)
    connection.close()
    waits = [(due, (start - due) * 1000) for due, start in zip(planned, started, strict=True)]
    before = [wait for due, wait in waits if due < instant - _PROBE_S]
    during = [wait for due, wait in waits if instant - _PROBE_S <= due <= all_fired + _PROBE_S]
    return _Instant((all_fired - instant) * 1000, median(before), max(during))


def _next_instant(connection: apsw.Connection) -> float:
    until = time.time() + _BEFORE_S + 0.5
    while True:
        (due_ms,) = next(connection.execute("SELECT MIN(next_fire_at) FROM specs"))
        if due_ms / 1000 >= until:
            return float(due_ms / 1000)
        time.sleep(_LOOK_S * 5)
        until = max(until, time.time() + _BEFORE_S)


def _fired(connection: apsw.Connection, instant: float, specs: int) -> float:
    """Return when the last of the specs has been seen to have fired."""
    while True:
        time.sleep(max(_LOOK_S, instant - time.time()))
        (fired,) = next(
            connection.execute("SELECT COUNT(*) FROM fires WHERE due_at = ?", (round(instant * 1000),))
        )
        now = time.time()
        if fired == specs:
            return now
        if now > instant + _GIVE_UP_S:
            raise RuntimeError(f"{fired} of {specs} specs fired within {_GIVE_UP_S} s")


def _probe(folder: Path, command: str, planned: list[float], over: threading.Event) -> None:
    """Enqueue a job every 100 ms, by the clock; a late call counts from when it was planned."""
    with Queue(folder / "queue.db") as queue:
        due = time.time()
        while not over.wait(max(0.0, due - time.time())):
            planned.append(due)
            queue.enqueue(command, queue="probe")
            due += _PROBE_S
