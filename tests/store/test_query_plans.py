"""How every statement finds its rows (SQLite): by an index, however many jobs there are."""

from __future__ import annotations

import re

import apsw
import pytest

from queuectl.store.queries import queries
from queuectl.store.store import Store

PLANS = {
    "start_attempt": "",
    "record_pid": "attempts by key",
    "end_attempt": "attempts by key",
    "attempts_of_job": "attempts by key",
    "count_attempt": "",
    "end_of_attempt": "attempts by key",
    "attempts_of_specs": "all of attempt_counts",
    "attempts_by_duration": "all of attempt_counts",
    "attempts_by_wait": "all of attempt_counts",
    "job_counts": "all of job_counts",
    "next_fire_of_each_spec": "specs_due",
    "latest_attempts_of_job": "attempts by key",
    "attempt": "attempts by key",
    "running_attempts_of_worker": "attempts by key, jobs_processing",
    "forget_attempts": "attempts by key, jobs by key",
    "enqueue": "",
    "enqueue_many": "sorted",
    "job": "jobs by key",
    "job_by_key": "jobs_key",
    "newest_job_of_spec": "jobs by key, jobs_spec",
    "job_keys": "all of jobs",
    "count_jobs_by_state": "all of job_counts",
    "oldest_pending": "jobs_changed",
    "claimable_queues": "all of queues, job_counts by key, jobs_pending",
    "claimable_jobs": "jobs_pending",
    "claim": "jobs by key",
    "bury": "jobs by key",
    "bury_all_of_worker": "jobs_processing",
    "reindex_jobs": "",
    "finish": "jobs by key",
    "promote": "jobs by key, jobs_due",
    "bring_back": "jobs_changed",
    "unblock": "jobs by key, jobs_blocked, jobs_flow, jobs_spec",
    "expire": "jobs by key, jobs_expiring",
    "keep_as_own_spec_says": "jobs by key",
    "cancel_waiting": "jobs by key",
    "request_cancel": "jobs by key",
    "cancel_requests": "jobs_processing",
    "retry": "jobs by key",
    "hurry": "jobs by key",
    "refreeze": "jobs by key",
    "open_jobs_of_spec": "jobs_spec, sorted",
    "busy": "all of jobs_processing, all of jobs_rated, all of queues, jobs_in_slot, jobs_pending, jobs_state,"
    " queues by key",
    "any_blocked": "all of jobs_at_rate, all of jobs_blocked, jobs_at_slot",
    "any_pending": "all of jobs_pending",
    "next_job_deadline": "jobs_due, jobs_expiring",
    "delete_jobs": "jobs by key",
    "purgeable_jobs": "jobs_changed",
    "purgeable_jobs_of_queue": "jobs_state",
    "waiting_jobs_of_queue": "jobs_state",
    "overdue_history": "jobs_purge",
    "aged_history": "jobs_changed",
    "history_size": "all of job_counts",
    "surplus_history_of_spec": "jobs_spec",
    "average_duration": "attempts by key, jobs_changed",
    "newest_jobs": "jobs by key",
    "kinds_of_jobs": "all of job_counts",
    "newest_of_kind": "jobs_state",
    "newest_processing": "all of jobs_processing, sorted",
    "newest_of_spec": "jobs_spec",
    "changed_jobs": "all of jobs_processing, jobs_changed",
    "jobs_among": "jobs by key",
    "newest_job_ids": "jobs by key",
    "oldest_jobs": "jobs by key",
    "oldest_of_kind": "jobs_state",
    "oldest_processing": "all of jobs_processing, sorted",
    "oldest_of_spec": "jobs_spec",
    "last_changed_of_kind": "jobs_changed",
    "changed_then_of_kind": "jobs_changed",
    "last_changed_processing": "all of jobs_processing, sorted",
    "jobs_with_ids": "jobs by key",
    "jobs_that_match": "jobs by key",
    "jobs_with_ids_between": "jobs by key",
    "jobs_with_keys_between": "jobs_key",
    "names_of_specs_between": "specs by key",
    "runs_of_specs": "attempts by key, jobs by key, jobs_spec",
    "tally": "",
    "minutes_since": "minutes by key",
    "sum_up_minutes": "minutes by key",
    "forget_summed_up": "minutes by key",
    "forget_minutes": "minutes by key",
    "record_apply": "",
    "apply_record": "applies by key",
    "specs": "all of specs by key",
    "specs_after": "specs by key",
    "spec_names": "all of specs by key",
    "all_specs": "all of specs by key",
    "spec": "specs by key",
    "write_specs": "",
    "record_spec_versions": "specs by key",
    "spec_version": "spec_versions by key",
    "move_spec": "specs by key",
    "orphan_spec": "specs by key",
    "prune_spec": "specs by key",
    "spec_files": "all of spec_files",
    "remember_spec_files": "",
    "forget_spec_files": "all of spec_files",
    "make_jobs_of_specs": "sorted",
    "specs_with_open_jobs": "jobs by key, jobs_flow, jobs_spec",
    "far_specs": "specs by key",
    "specs_that_keep_counts": "specs by key",
    "due_specs": "specs_due",
    "advance_specs": "specs by key",
    "next_spec_deadline": "specs_due",
    "next_fires": "specs_due",
    "pause_spec": "specs by key",
    "resume_spec": "specs by key",
    "mark_done": "specs by key",
    "forget_done": "specs by key",
    "record_fire": "",
    "record_fires": "",
    "link_fires": "fires by key",
    "latest_fire": "fires by key",
    "extend_fire": "fires by key",
    "expire_fire": "fires_job",
    "list_fires": "fires_due",
    "stretches_since": "fires_until",
    "list_fires_of_spec": "fires by key",
    "forget_fires_before": "fires by key, fires_due",
    "forget_surplus_fires": "all of fires_due, fires by key",
    "register_worker": "",
    "beat": "workers by key",
    "worker_orders": "workers by key",
    "remove_worker": "workers by key",
    "workers": "all of workers, jobs_processing, sorted",
    "pause_worker": "all of workers",
    "resume_worker": "all of workers",
    "stop_worker": "all of workers",
    "abandoned_workers": "all of jobs_processing, workers by key",
    "know_queue": "",
    "pause_queue": "",
    "resume_queue": "queues by key",
    "queues": "all of queues by key, job_counts by key",
    "settings": "all of settings by key",
    "set_setting": "",
    "unset_setting": "settings by key",
    "forget_settings": "all of settings",
    "needed_specs": "spec_needs_on, specs by key",
    "specs_below": "jobs_in_flow, spec_needs_on, specs by key",
    "forget_spec_needs": "spec_needs by key",
    "write_spec_needs": "",
    "flow_that_waits_for_spec": "jobs by key, jobs_in_flow, needs_on_spec, spec_needs_on, specs by key",
    "fill_needs": "jobs by key, needs_on_spec",
    "enter_flow": "jobs by key",
    "jobs_of_flow": "jobs_flow, sorted",
    "jobs_of_flow_by_spec": "jobs_in_flow",
    "add_needs": "",
    "needs_of_flow": "jobs_flow, needs_of_job, sorted",
    "needs_of_job": "needs_of_job, sorted",
    "meet_needs": "needs_on_job",
    "release": "jobs by key, needs_of_job",
    "users_left_waiting": "jobs by key, needs_on_job",
    "explain_blocked": "jobs by key",
    "users_left_behind": "jobs by key, needs_on_job",
    "ended_among": "jobs by key",
    "waive_needs": "jobs by key, needs_of_job",
    "block_again": "jobs by key, needs_of_job",
    "open_jobs_of_flow": "jobs_flow, sorted",
    "jobs_in_the_way": "jobs by key, jobs_flow, jobs_spec, sorted",
    "times_of_flow": "attempts by key, jobs_flow",
    "take_slots_to_look_at": "all of slots_to_look_at",
    "look_at_slot": "",
    "rates_waited_for": "jobs_at_rate, jobs_spec, rates by key",
    "waiting_at_slot": "jobs_at_slot",
    "waiting_at_rate": "jobs_at_rate",
    "impatient_at_slot": "jobs_impatient",
    "holders_of_slot": "jobs_in_slot",
    "slot_of_job": "jobs by key",
    "admit": "jobs by key",
    "rate_of_spec": "jobs_spec, rates by key",
    "set_rate_of_spec": "",
    "note_start_of_spec": "rates by key",
    "set_rate_of_queue": "queues by key",
    "next_start": "all of queues, all of rates, jobs_pending, jobs_spec",
    "limit_queue": "",
    "forget_fire": "fires by key",
    "shorten_stretch": "fires by key",
    "integrity_check": "",
    "quick_check": "",
    "broken_references": "",
    "schema_version": "",
    "parts_of_schema": "all of sqlite_schema",
    "job_bytes": "jobs by key",
    "attempt_bytes": "attempts by key",
    "spec_bytes": "all of specs",
    "spec_version_bytes": "spec_versions by key",
    "latest_instant": "applies, jobs_changed, jobs_processing, specs, workers",
    "attempts_among": "attempts by key",
    "kept_outputs": "attempts by key",
    "give_input": "",
    "input": "inputs by key",
    "said_by_needs": "jobs by key, needs_of_job, sorted",
    "specs_page": "specs by key",
    "count_specs": "all of specs",
    "versions_of_spec": "applies by key, spec_versions by key",
    "latest_runs_of_specs": "attempts by key, jobs by key, jobs_spec",
    "last_output": "attempts by key, jobs by key",
    "newest_dead": "jobs_changed",
}
"""What each statement goes by: an index, or a table by its key; "all of" what it looks through; "sorted" when it sorts.

A statement that isn't here fails the first test, which says what to write: look at it as if there were ten million
jobs, and ten of what is looked for.
"""
WALKS = {
    "busy": "past those whose slot is taken",
    "any_blocked": "all of jobs_at_rate, all of jobs_blocked, jobs_at_slot",
    "any_pending": "stops at the first",
    "job_keys": "stops after 5,000",
    "forget_surplus_fires": "past those that are kept",
}
"""Statements that walk along jobs, attempts or fires all the same, and what ends that."""
SORTS = {
    "said_by_needs": "all of which are wanted",
    "enqueue_many": "what it is given",
    "make_jobs_of_specs": "what it is given",
    "newest_processing": "what runs now",
    "oldest_processing": "what runs now",
    "last_changed_processing": "what runs now",
    "open_jobs_of_spec": "all of which are wanted",
    "workers": "all of which are wanted",
    "jobs_in_the_way": "all of which are wanted",
    "jobs_of_flow": "all of which are wanted",
    "needs_of_flow": "all of which are wanted",
    "needs_of_job": "all of which are wanted",
    "open_jobs_of_flow": "all of which are wanted",
}
"""Statements that sort."""
FEW = {"jobs_processing"}
"""An index that holds no more than there are slots."""
BIG = ("jobs", "attempts", "fires")


def empty() -> apsw.Connection:
    return Store.empty().database._connection  # type: ignore[attr-defined,no-any-return]


INDEXES = {
    str(name)
    for (name,) in empty().execute("SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL")
}
USES = [
    (query, index) for query, by in PLANS.items() for index in sorted(INDEXES & set(re.findall(r"\w+", by)))
]


@pytest.fixture
def connection() -> apsw.Connection:
    return empty()


def plan(connection: apsw.Connection, query: str) -> str:
    """What a statement goes by, as in PLANS, planned for parameters that are not known."""
    text = queries()[query]
    names = dict.fromkeys(re.findall(r":(\w+)", text))
    lines = [str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {text}", names)]
    by = {found for line in lines if (found := line_by(line, query, connection))}
    return ", ".join(sorted(by))


def line_by(line: str, query: str, connection: apsw.Connection) -> str | None:
    """What one line of a plan goes by; None for what is not in a table."""
    if "TEMP B-TREE FOR ORDER BY" in line:
        return "sorted"
    found = re.match(r"(SEARCH|SCAN) (\w+)(?: EXISTS)?(?: USING (?:COVERING )?([A-Z ]+)(\w*))?", line)
    if not found:
        return None
    how, name, key, index = found.groups()
    table = aliases(query).get(name, name)
    if not connection.table_exists(None, table):
        return None
    if not index or index.startswith("sqlite_"):
        index = f"{table} by key" if key else table
    return f"all of {index}" if how == "SCAN" else index


def aliases(query: str) -> dict[str, str]:
    """Which table a name stands for."""
    found = re.findall(
        r"\b(?:FROM|JOIN|UPDATE) (\w+) (?:AS )?(?!SET\b|WHERE\b|ORDER\b|ON\b|LIMIT\b)(\w+)", queries()[query]
    )
    return {alias: table for table, alias in found}


def walked(by: str) -> set[str]:
    """Big tables, or indexes of them, that are looked through."""
    return {name for name in re.findall(r"all of (\w+)", by) if name.startswith(BIG)} - FEW


@pytest.mark.parametrize("query", queries())
def test_each_statement_goes_by_its_index(connection: apsw.Connection, query: str) -> None:
    assert plan(connection, query) == PLANS.get(query, "nothing that PLANS says")


def test_no_plan_is_left_of_a_statement_that_is_gone() -> None:
    assert set(PLANS) == set(queries())


def test_what_looks_at_many_rows_is_named_with_its_reason() -> None:
    assert {query for query, by in PLANS.items() if walked(by)} == set(WALKS)
    assert {query for query, by in PLANS.items() if "sorted" in by} == set(SORTS)


def test_so_it_is_with_many_jobs_and_statistics(connection: apsw.Connection) -> None:
    connection.execute("""
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000),
            state(number, name) AS (VALUES (0, 'blocked'), (1, 'scheduled'), (2, 'pending'), (3, 'failed'),
                (4, 'dead'), (5, 'cancelled'), (6, 'processing'))
        INSERT INTO jobs (spec, frozen, state, queue, priority, run_at, worker_id, created_at, updated_at, finished_at)
        SELECT 's' || i % 19, '{}', COALESCE(name, 'completed'), 'q' || i % 3, 0, i, 'w' || i % 5, 0, i,
            CASE WHEN number IS NULL OR number IN (4, 5) THEN i END
        FROM n LEFT JOIN state ON number = i % 13;
        ANALYZE""")

    found = {query: plan(connection, query) for query in PLANS}

    assert {query: by for query, by in found.items() if walked(by) - walked(PLANS[query])} == {}


def test_no_index_is_kept_that_nothing_goes_by() -> None:
    assert {index for _, index in USES} == INDEXES


@pytest.mark.parametrize(("query", "index"), USES)
def test_a_missing_index_is_noticed(connection: apsw.Connection, query: str, index: str) -> None:
    connection.execute(f"DROP INDEX {index}")

    assert plan(connection, query) != PLANS[query]
