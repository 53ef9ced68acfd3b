"""Queues with millions of jobs, in seconds: jobs that a worker ran are copied by SQL."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from queuectl.queue import Queue

_BATCH = 200_000
_NEXT_YEAR_S = 365 * 24 * 3600
_WEEK = """
WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < 7 * 24 * 60)
INSERT OR IGNORE INTO minutes (at, power, succeeded, failed)
SELECT :now - n * 60000, value, 20 + n % 7, n % 3 FROM numbers, json_each('[5, 8, 11, 15]')"""
_COUNTS = """
INSERT OR IGNORE INTO attempt_counts (spec, queue, outcome, took_le, waited_le, attempts, took_ms, waited_ms, last_at)
SELECT spec, 'default', CASE state WHEN 'dead' THEN 'failed' ELSE 'succeeded' END, 100, 1000, COUNT(*), COUNT(*) * 50,
    COUNT(*) * 200, MAX(updated_at) FROM jobs WHERE spec IS NOT NULL AND finished_at IS NOT NULL GROUP BY spec, state"""


def make(path: Path, **counts: int) -> None:
    """Make a queue with so many jobs of each kind (`pending=1000, completed=…, dead=…, scheduled=…`), and a few more.

    The scheduled ones are for next year and have a higher priority.
    """
    with Queue(path) as queue:
        queue.enqueue("true", queue="held")
        queue.enqueue("true")
        queue.enqueue("exit 1", retries=0)
        queue.enqueue("true", priority=10, delay=_NEXT_YEAR_S)
        queue.run(queues=["default"])
    with _unsafe(path) as connection, _without_indexes(connection):
        for kind, count in counts.items():
            _copy(connection, kind, count)


def add_pending(path: Path, count: int) -> None:
    """Add pending jobs to a queue that `make` made."""
    connection = apsw.Connection(str(path))
    with connection:
        _copy(connection, "pending", count)
    connection.close()


def spec_name(number: int) -> str:
    """Return the name of one of the specs of `spread_over_specs`."""
    return f"spec-{number:05}"


def spread_over_specs(path: Path, specs: int) -> None:
    """Make the finished jobs those of so many specs, which have been applied, and a week of attempts of them."""
    with _unsafe(path) as connection, _without_indexes(connection):
        connection.execute(
            "UPDATE jobs SET spec = printf('spec-%05d', id % ?), spec_version = 1 WHERE finished_at IS NOT NULL",
            (specs,),
        )
        connection.execute(_WEEK, {"now": time.time_ns() // 1_000_000 // 60_000 * 60_000})
        connection.execute(_COUNTS)
    with Queue(path) as queue:
        queue.context.store.minutes.forget(now=queue.context.now())  # as a worker does


@contextmanager
def _unsafe(path: Path) -> Iterator[apsw.Connection]:
    """Write without a journal: nothing that would be missed is in there."""
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA journal_mode=DELETE; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF")
    connection.execute("PRAGMA cache_size=-500000")
    yield connection
    connection.execute("PRAGMA journal_mode=WAL")
    connection.close()


@contextmanager
def _without_indexes(connection: apsw.Connection) -> Iterator[None]:
    """Build the indexes of the jobs at the end: that takes a fraction of the time."""
    found = (
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'jobs' AND sql IS NOT NULL"
    )
    indexes = list(connection.execute(found))
    for name, _ in indexes:
        connection.execute(f"DROP INDEX {name}")
    yield
    for _, sql in indexes:
        connection.execute(sql)


def _copy(connection: apsw.Connection, state: str, count: int) -> None:
    """Copy the newest job in a state, with its attempts, so many times."""
    (pattern,) = next(connection.execute("SELECT MAX(id) FROM jobs WHERE state = ?", (state,)))
    (first,) = next(connection.execute("SELECT MAX(id) + 1 FROM jobs"))
    for start in range(first, first + count, _BATCH):
        ids = (start, min(start + _BATCH, first + count))
        _copy_rows(connection, "jobs", "id", pattern, ids)
        _copy_rows(connection, "attempts", "job_id", pattern, ids)


def _copy_rows(connection: apsw.Connection, table: str, id_: str, pattern: int, ids: tuple[int, int]) -> None:
    """Copy the rows of a pattern to each of the ids, the last one excluded."""
    columns = [str(row[1]) for row in connection.execute(f"PRAGMA table_info({table})")]
    values = ", ".join("n" if column == id_ else column for column in columns)
    connection.execute(
        f"""
        WITH RECURSIVE numbers (n) AS (SELECT :start UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :end)
        INSERT INTO {table} ({", ".join(columns)})
        SELECT {values} FROM numbers, (SELECT * FROM {table} WHERE {id_} = :pattern)""",
        {"start": ids[0], "end": ids[1], "pattern": pattern},
    )
