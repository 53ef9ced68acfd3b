"""What the loop asks at every tick is served by an index, however many jobs there are (SQLite)."""

from __future__ import annotations

import re

import apsw
import pytest

from queuectl.store.queries import queries
from queuectl.store.store import Store

INDEX_OF = {
    "claim": {"jobs_pending"},
    "promote": {"jobs_due"},
    "unblock": {"jobs_blocked", "jobs_spec"},
    "expire": {"jobs_expiring"},
    "next_job_deadline": {"jobs_due", "jobs_expiring"},
    "cancel_requests": {"jobs_processing"},
    "running_attempts_of_worker": {"jobs_processing"},
    "abandoned_workers": {"jobs_processing"},
    "workers": {"jobs_processing"},
    "due_specs": {"specs_due"},
    "next_spec_deadline": {"specs_due"},
    "open_jobs_of_spec": {"jobs_spec"},
    "newest_job_of_spec": {"jobs_spec"},
    "oldest_pending": {"jobs_due"},
    "overdue_history": {"jobs_purge"},
    "aged_history": {"jobs_finished"},
    "expire_fire": {"fires_job"},
    "queues": {"jobs_queue"},
}
"""What each statement needs. The first ones are run at every tick."""
BIG_TABLES = {"jobs", "specs", "fires", "attempts"}
EACH_NEEDED = [(query, index) for query, indexes in INDEX_OF.items() for index in sorted(indexes)]


@pytest.fixture
def connection() -> apsw.Connection:
    return Store.empty().database._connection  # type: ignore[attr-defined,no-any-return]


def plan(connection: apsw.Connection, query: str) -> list[str]:
    """The lines of EXPLAIN QUERY PLAN, planned for parameters that are not known."""
    text = queries()[query]
    names = set(re.findall(r":(\w+)", text))
    explained = connection.execute(f"EXPLAIN QUERY PLAN {text}", dict.fromkeys(names))
    return [str(row[3]) for row in explained]


def faults(connection: apsw.Connection, query: str) -> list[str]:
    """Lines that look at every row of a big table, and indexes that are not used."""
    lines = plan(connection, query)
    aliases = dict(re.findall(r"\b(?:FROM|JOIN|UPDATE) (\w+) (?!SET\b|WHERE\b)(\w+)", queries()[query]))
    big = BIG_TABLES | {alias for table, alias in aliases.items() if table in BIG_TABLES}
    scans = [line for line in lines if (found := re.match(r"SCAN (\w+)", line)) and found[1] in big]
    unused = [
        index for index in INDEX_OF[query] if not any(re.search(rf"\b{index}\b", line) for line in lines)
    ]
    return scans + unused


@pytest.mark.parametrize("query", INDEX_OF)
def test_no_row_is_looked_at_in_vain(connection: apsw.Connection, query: str) -> None:
    assert faults(connection, query) == [], plan(connection, query)


@pytest.mark.parametrize("query", INDEX_OF)
def test_so_it_is_with_many_jobs_and_statistics(connection: apsw.Connection, query: str) -> None:
    connection.execute("""
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
        INSERT INTO jobs (spec, frozen, state, queue, priority, run_at, worker_id, created_at, updated_at, finished_at)
        SELECT 's' || i % 9, '{}', CASE WHEN i % 10 THEN 'completed' ELSE 'pending' END, 'q' || i % 3, 0, i, 'w', 0, 0,
            CASE WHEN i % 10 THEN i END FROM n;
        ANALYZE""")

    assert faults(connection, query) == [], plan(connection, query)


@pytest.mark.parametrize(("query", "index"), EACH_NEEDED)
def test_a_missing_index_is_noticed(connection: apsw.Connection, query: str, index: str) -> None:
    connection.execute(f"DROP INDEX {index}")

    assert index in faults(connection, query)
