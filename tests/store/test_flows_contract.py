"""Flows: what the end of a job means for those that need it."""

from __future__ import annotations

import select
from typing import Any, get_args

import pytest

from queuectl.model.flow import Ends
from queuectl.model.spec import Concurrency
from queuectl.model.states import FINAL, BlockedBy, JobState
from tests.store.flow import BLOCKED, CANCELLED, COMPLETED, DEAD, PENDING, SCHEDULED, Flow


@pytest.mark.parametrize("ends", get_args(Ends))
@pytest.mark.parametrize("state", sorted(FINAL))
class TestOneNeed:
    def test_is_met_by_the_end_that_it_names(self, flow: Flow, state: JobState, ends: Ends) -> None:
        first = flow.job()
        then = flow.job(first, ends=ends)
        flow.run(first, state)
        assert flow.state(then) is expected(state, ends)

    def test_is_met_by_what_had_ended_before(self, flow: Flow, state: JobState, ends: Ends) -> None:
        first = flow.job()
        flow.run(first, state)
        then = flow.job(first, ends=ends)
        assert flow.state(then) is expected(state, ends)
        if then.state is BLOCKED:
            assert then.reason == f"needs job 1, which is {state}; `queuectl retry 1` lets it go on"


def expected(state: JobState, ends: Ends) -> JobState:
    if ends in {state, "finished"}:
        return PENDING
    return CANCELLED if (state, ends) == (COMPLETED, "dead") else BLOCKED


class TestGoingOn:
    def test_is_for_when_all_needs_are_met(self, flow: Flow) -> None:
        left, right = flow.job(), flow.job()
        join = flow.job(left, right)
        one, another = flow.bench.claim(2)
        flow.end(one)
        assert (flow.state(join), flow.bench.claim()) == (BLOCKED, [])
        flow.end(another)
        assert [job.id for job in flow.bench.claim(9)] == [join.id]

    def test_leads_to_scheduled_where_it_is_not_due(self, flow: Flow) -> None:
        first = flow.job()
        later = flow.job(first, run_at=5000)
        flow.run(first)
        assert flow.state(later) is SCHEDULED

    def test_leads_to_the_gate_where_there_is_one(self, flow: Flow) -> None:
        first = flow.job()
        gated = flow.job(first, concurrency=Concurrency(key="db"))
        flow.run(first)
        assert flow.bench.now(gated).blocked_by is BlockedBy.GATE
        assert flow.store.gates.admit(now=1000) == [gated.id]

    def test_is_told_to_the_workers(self, flow: Flow, other: Flow) -> None:
        first = flow.job()
        flow.job(first)
        (claimed,) = flow.bench.claim()
        wake_ups = other.store.database.listen()
        wake_ups.drain()
        flow.end(claimed)
        assert readable(wake_ups)

    def test_is_not_for_a_job_that_was_cancelled_meanwhile(self, flow: Flow) -> None:
        first = flow.job()
        then = flow.job(first)
        flow.store.jobs.cancel(then.id, reason="no", now=1000)
        flow.run(first)
        assert flow.state(then) is CANCELLED
        flow.store.jobs.retry(then.id, then.frozen, None, now=1000)
        assert flow.state(then) is PENDING, "what it needs has been met meanwhile"


@pytest.mark.parametrize("how", ["cancel", "expire"])
def test_what_never_started_has_ended_too(flow: Flow, how: str) -> None:
    first = flow.job(expires_at=2000)
    then, tidy = flow.job(first), flow.job(first, ends="finished")
    if how == "cancel":
        flow.store.jobs.cancel(first.id, reason="no", now=1000)
    else:
        assert flow.store.jobs.expire(now=2001) == [first.id]
    assert (flow.state(then), flow.state(tidy)) == (BLOCKED, PENDING)
    assert flow.reason(then) == "needs job 1, which is cancelled; `queuectl retry 1` lets it go on"


class TestNeverRunning:
    def test_takes_along_all_that_is_below(self, flow: Flow) -> None:
        load = flow.job()
        alarm = flow.job(load, ends="dead")
        page, log = flow.job(alarm), flow.job(alarm, ends="finished")
        more = flow.job(page)
        flow.run(load)
        assert [flow.reason(job) for job in (alarm, page, more)] == [
            f"not needed: job {load.id} has completed",
            f"not needed: job {alarm.id} has not run",
            f"not needed: job {page.id} has not run",
        ]
        assert [flow.state(job) for job in (alarm, page, more, log)] == [
            CANCELLED,
            CANCELLED,
            CANCELLED,
            PENDING,
        ]

    def test_is_over_when_somebody_retries_it(self, flow: Flow) -> None:
        """What it waits for can't die any more: it runs because it was asked to."""
        load = flow.job()
        alarm = flow.job(load, ends="dead")
        flow.run(load)
        again = flow.store.jobs.retry(alarm.id, alarm.frozen, None, now=1000)
        assert again is not None
        assert again.state is PENDING


class TestRetry:
    def test_of_what_died_lets_the_flow_go_on(self, flow: Flow) -> None:
        load = flow.job()
        report = flow.job(load)
        flow.run(load, DEAD)
        assert flow.reason(report) == "needs job 1, which is dead; `queuectl retry 1` lets it go on"
        flow.store.jobs.retry(load.id, load.frozen, None, now=1000)
        assert flow.reason(report) == "waits for job 1"
        flow.run(load)
        flow.run(report)

    def test_waits_again_for_what_has_not_ended(self, flow: Flow) -> None:
        load = flow.job()
        report = flow.job(load)
        flow.store.jobs.cancel(report.id, reason="no", now=1000)
        again = flow.store.jobs.retry(report.id, report.frozen, None, now=1000)
        assert again is not None
        assert (again.state, again.blocked_by, again.reason) == (BLOCKED, BlockedBy.NEEDS, "waits for job 1")
        flow.run(load)
        assert flow.state(report) is PENDING


class TestDeleting:
    def test_what_is_needed_ends_those_that_wait_for_it(self, flow: Flow) -> None:
        load = flow.job()
        report, tidy = flow.job(load), flow.job(load, ends="finished")
        mail = flow.job(report)
        flow.run(load, DEAD)
        flow.delete(load)
        assert [flow.reason(job) for job in (report, mail)] == [
            "needs job 1, which was deleted",
            f"not needed: job {report.id} has not run",
        ]
        assert [flow.state(job) for job in (report, mail, tidy)] == [CANCELLED, CANCELLED, PENDING]

    def test_is_no_reason_to_wait_for_ever(self, flow: Flow) -> None:
        load = flow.job()
        report = flow.job(load)
        flow.run(load, DEAD)
        flow.delete(load)
        flow.store.jobs.retry(report.id, report.frozen, None, now=1000)
        assert flow.state(report) is PENDING

    def test_what_completed_changes_nothing(self, flow: Flow) -> None:
        first, second = flow.job(), flow.job()
        join = flow.job(first, second)
        flow.end(flow.bench.claim()[0])
        flow.delete(first)
        assert flow.state(join) is BLOCKED
        flow.run(second)
        assert flow.state(join) is PENDING

    def test_passes_over_what_runs(self, flow: Flow) -> None:
        first = flow.job()
        then = flow.job(first)
        (claimed,) = flow.bench.claim()
        flow.delete(first)
        assert flow.state(then) is BLOCKED
        flow.end(claimed)
        assert flow.state(then) is PENDING


class TestJoining:
    def test_the_oldest_flow_that_waits_for_a_spec(self, flow: Flow) -> None:
        starts = [flow.job(spec="b"), flow.job(spec="b")]
        waiting = [flow.job(start, "a") for start in starts]
        for start, join in zip(starts, waiting, strict=True):
            new = flow.bench.enqueue(spec="a")
            assert flow.store.flows.enter("a", new.id) == start.id
            assert flow.store.flows.jobs_by_spec(start.id, {"a", "b"}) == {"a": new.id, "b": start.id}
            (unfilled,) = [need for need in flow.store.flows.needs_of(join.id) if need.spec == "a"]
            assert unfilled.needs_id == new.id
        third = flow.bench.enqueue(spec="a")
        assert flow.store.flows.enter("a", third.id) == third.id, "nobody waits: it begins its own"

    def test_passes_over_a_flow_that_has_one(self, flow: Flow) -> None:
        start = flow.job(spec="a")
        flow.job(start, "a")
        new = flow.bench.enqueue(spec="a")
        assert flow.store.flows.enter("a", new.id) == new.id

    def test_passes_over_what_waits_no_more(self, flow: Flow) -> None:
        start = flow.job(spec="b")
        join = flow.job(start, "a")
        flow.store.jobs.cancel(join.id, reason="no", now=1000)
        new = flow.bench.enqueue(spec="a")
        assert flow.store.flows.enter("a", new.id) == new.id


def test_what_is_open_of_a_flow_is_found_newest_first(flow: Flow) -> None:
    first = flow.job()
    others = [flow.job(first), flow.job(first, ends="finished")]
    flow.run(first, CANCELLED)
    flow.job()
    assert flow.store.flows.open_jobs(first.id) == [others[1].id, others[0].id]


class TestInTheWay:
    """Of the next job of a spec, as `overlap` asks."""

    @pytest.mark.parametrize("waits", [BlockedBy.GATE, BlockedBy.NEEDS])
    def test_is_a_flow_that_waits_at_a_gate_but_none_that_is_stuck(
        self, flow: Flow, waits: BlockedBy
    ) -> None:
        root = flow.job(spec="s")
        flow.run(root, COMPLETED if waits is BlockedBy.GATE else DEAD)
        load = flow.job(root, concurrency=Concurrency(key="db"))
        assert load.blocked_by is waits
        goes_on = waits is BlockedBy.GATE
        assert [job.id for job in flow.store.jobs.in_the_way_of("s")] == ([load.id] if goes_on else [])
        assert flow.store.specs.with_open_jobs(["s"]) == ({"s"} if goes_on else set())
        following = flow.bench.enqueue(spec="s", state=BLOCKED)
        flow.store.jobs.promote(now=1000)
        assert flow.state(following) is (BLOCKED if goes_on else PENDING)

    def test_is_an_earlier_job_at_a_gate(self, flow: Flow) -> None:
        spec = {"spec": "s", "concurrency": Concurrency(key="db", limit=2)}
        first = flow.bench.enqueue(state=BLOCKED, blocked_by=BlockedBy.GATE, **spec)
        second = flow.bench.enqueue(state=BLOCKED, **spec)
        assert flow.store.jobs.promote(now=1000) == []
        assert flow.store.gates.admit(now=1000) == [first.id]
        flow.end(flow.bench.claim()[0])
        assert flow.store.jobs.promote(now=1000) == [second.id]


def readable(wake_ups: Any) -> bool:
    return bool(select.select([wake_ups], [], [], 10)[0])
