"""enqueue: many jobs at once from a pipe, and one durable job at a time."""

from __future__ import annotations

import time
from pathlib import Path

import apsw

from benchmarks.harness.figure import Figure, at_least
from benchmarks.harness.processes import QUEUECTL, run_or_die, surroundings
from benchmarks.harness.rounds import interleaved
from benchmarks.harness.setting import Setting
from benchmarks.peers.everyone import HUEY
from queuectl.queue import Queue

TITLE = "Enqueue: durable jobs a second"
_BULK = "queuectl enqueue -"
_ONE, _RAW = "Queue.enqueue", "INSERT, synchronous=FULL"
_BODY_BYTES = 300
"""About what a job of queuectl takes."""


def run(setting: Setting) -> list[Figure]:
    """Measure the whole command for many, the loop for one at a time."""
    lines, loop, ones = setting.size(100_000, 300), setting.size(5_000, 50), setting.size(500, 20)
    rounds = interleaved(
        setting,
        {
            _BULK: lambda: _bulk(setting, lines),
            HUEY.name: lambda: _huey(setting, loop),
            _RAW: lambda: _raw(setting, ones),
            _ONE: lambda: _one(setting, ones),
        },
    )
    many, each = f"{lines:,} by pipe", "one at a time"
    bulk, raw = rounds.found[_BULK], rounds.found[_RAW]
    figures = [Figure.of(many, _BULK, "/s", bulk, target=at_least(40_000, "value"))]
    if HUEY.name in rounds.missing:
        figures.append(Figure(name=many, contestant=HUEY.name, unit="/s", missing=rounds.missing[HUEY.name]))
    else:
        huey = rounds.found[HUEY.name]
        times = [mine / its for mine, its in zip(bulk, huey, strict=True)]
        note = f"{loop:,} calls in a loop, the start of Python not counted"
        figures.append(Figure.of(many, HUEY.name, "/s", huey, note=note))
        figures.append(
            Figure.of("by pipe : huey", _BULK, "×", times, against=HUEY.name, target=at_least(10, "value"))
        )
    return [
        *figures,
        Figure.of(each, _RAW, "/s", raw, base=raw, against=_RAW),
        Figure.of(each, _ONE, "/s", rounds.found[_ONE], base=raw, against=_RAW, target=at_least(0.6)),
    ]


def _bulk(setting: Setting, lines: int) -> float:
    with setting.turn() as folder:
        env = surroundings(QUEUECTL_DB=str(folder / "queue.db"))
        given = b"true\n" * lines
        before = time.perf_counter()
        run_or_die([QUEUECTL, "enqueue", "-"], env=env, folder=folder, given=given)
        return lines / (time.perf_counter() - before)


def _huey(setting: Setting, jobs: int) -> float:
    with setting.turn() as folder, HUEY.up(folder) as installed:
        return jobs / installed.fill(["true"] * jobs)


def _one(setting: Setting, jobs: int) -> float:
    with setting.turn() as folder, Queue(folder / "queue.db") as queue:
        queue.enqueue("true")
        before = time.perf_counter()
        for _ in range(jobs):
            queue.enqueue("true")
        return jobs / (time.perf_counter() - before)


def _raw(setting: Setting, rows: int) -> float:
    with setting.turn() as folder:
        connection = _table(folder / "raw.db")
        body = "x" * _BODY_BYTES
        before = time.perf_counter()
        for _ in range(rows):
            connection.execute("INSERT INTO rows (body) VALUES (?)", (body,))
        seconds = time.perf_counter() - before
        connection.close()
        return rows / seconds


def _table(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, body TEXT NOT NULL)")
    return connection
