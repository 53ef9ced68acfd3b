"""Counts that only rise: what ends an attempt counts it, once, and nothing takes it back."""

from __future__ import annotations

from collections import Counter

import pytest

from queuectl.model.count import ENDLESS
from queuectl.model.states import JobState, Outcome
from queuectl.rules.buckets import TOOK_MS, WAITED_MS, end_of_bucket
from queuectl.store.store import Store
from tests.store.conftest import Bench, OpenStore


def counted(store: Store) -> Counter[tuple[str, str]]:
    """How many attempts of each spec came to each outcome."""
    found: Counter[tuple[str, str]] = Counter()
    for one in store.counters.attempts():
        found[one.spec, one.outcome] += one.attempts
    return found


def test_each_outcome_is_counted_by_its_spec(bench: Bench) -> None:
    for outcome in Outcome:
        job = bench.processing(spec="s", priority=1000)
        assert bench.finish(job, outcome=outcome)
    job = bench.processing(priority=1000)
    assert bench.finish(job)
    expected: dict[tuple[str, str], int] = {("s", outcome): 1 for outcome in Outcome}
    assert counted(bench.store) == expected | {("", "succeeded"): 1}


def test_it_is_counted_in_the_transaction_that_ends_it(bench: Bench, open_store: OpenStore) -> None:
    job = bench.processing()
    with pytest.raises(ZeroDivisionError), bench.store.transaction():
        assert bench.finish(job) / 0
    assert counted(open_store()) == {}
    assert bench.finish(job)
    assert not bench.finish(job)
    assert counted(open_store()) == {("", "succeeded"): 1}


def test_it_stays_when_the_job_is_forgotten(bench: Bench) -> None:
    job = bench.in_state(JobState.DEAD, spec="s")
    bench.store.history.forget([job.id])
    assert counted(bench.store) == {("s", "failed"): 1}


def test_times_fall_into_buckets(bench: Bench) -> None:
    for waited, took in ((0, 100), (101, 101), (10**9, 10**9)):
        bench.enqueue(now=1000)
        (job,) = bench.claim(now=1000 + waited)
        assert bench.finish(job, now=1000 + waited + took)
    longest = {(one.le, one.attempts, one.ms) for one in bench.store.counters.durations()}
    assert longest == {(100, 1, 100), (1000, 1, 101), (ENDLESS, 1, 10**9)}
    longest = {(one.le, one.attempts, one.ms) for one in bench.store.counters.waits()}
    assert longest == {(100, 1, 0), (1000, 1, 101), (ENDLESS, 1, 10**9)}


def test_a_clock_that_was_put_back_counts_as_no_time(bench: Bench) -> None:
    bench.enqueue(now=9000)
    (job,) = bench.claim(now=2000)
    assert bench.finish(job, now=1000)
    assert {(one.le, one.ms) for one in bench.store.counters.durations()} == {(100, 0)}
    assert {(one.le, one.ms) for one in bench.store.counters.waits()} == {(100, 0)}


def test_the_ends_of_buckets() -> None:
    for ends in (TOOK_MS, WAITED_MS):
        assert list(ends) == sorted(set(ends))
        assert [end_of_bucket(end, ends) for end in ends] == list(ends)
        assert end_of_bucket(ends[-1] + 1, ends) == ENDLESS
    assert end_of_bucket(-5, WAITED_MS) == WAITED_MS[0]


def test_the_jobs_of_each_queue(bench: Bench) -> None:
    bench.in_state(JobState.DEAD, queue="mail")
    bench.enqueue()
    found = {key: count for key, count in bench.store.counters.jobs().items() if count}
    assert found == {("mail", JobState.DEAD): 1, ("default", JobState.PENDING): 1}
