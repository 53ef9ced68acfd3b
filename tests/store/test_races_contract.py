"""Two connections at once: whoever commits last finds what the first has done."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from queuectl.model.job import Job
from queuectl.model.spec import Concurrency
from queuectl.model.states import FINAL, BlockedBy, OnConflict
from queuectl.store.store import Store
from tests.store.flow import BLOCKED, CANCELLED, COMPLETED, DEAD, PENDING, PROCESSING, SCHEDULED, Flow


class Race:
    """Two connections at once: the second begins before the first has committed."""

    def __init__(self, first: Store) -> None:
        self.first = first

    def __call__(self, one: Callable[[], object], other: Callable[[], object]) -> object:
        """Return what the one that commits last returns."""
        begun = Event()

        def second() -> object:
            begun.set()
            return other()

        with ThreadPoolExecutor(1) as pool:
            with self.first.transaction():
                one()
                late = pool.submit(second)
                assert begun.wait(30)
            return late.result(30)


@pytest.mark.parametrize("turned", [False, True], ids=["", "turned"])
class TestRaces:
    """Each in both orders of commit."""

    def test_two_finishes_let_one_job_go_on_once(self, flow: Flow, other: Flow, turned: bool) -> None:
        left, right = flow.job(), flow.job()
        join = flow.job(left, right)
        mine, theirs = flow.bench.claim(), other.bench.claim(worker="w2")
        run(flow, other, lambda one: one.end(*(mine if one is flow else theirs)), turned)
        assert flow.bench.now(join).state is PENDING
        found = [*flow.bench.claim(9), *other.bench.claim(9, worker="w2")]
        assert [(job.id, job.attempt) for job in found] == [(join.id, 1)]

    def test_a_last_finish_and_the_death_of_another(self, flow: Flow, other: Flow, turned: bool) -> None:
        left, right = flow.job(), flow.job()
        join = flow.job(left, right)
        mine, theirs = flow.bench.claim(), other.bench.claim(worker="w2")
        run(flow, other, lambda one: one.end(*mine) if one is flow else one.end(*theirs, to=DEAD), turned)
        assert (flow.state(join), flow.reason(join)) == (
            BLOCKED,
            "needs job 2, which is dead; `queuectl retry 2` lets it go on",
        )

    def test_cancel_and_promote(self, flow: Flow, other: Flow, turned: bool) -> None:
        job = flow.bench.enqueue(state=SCHEDULED, run_at=2000)
        run(
            flow,
            other,
            lambda one: (
                one.store.jobs.promote(now=2000)
                if one is flow
                else one.store.jobs.cancel(job.id, reason="no", now=2000)
            ),
            turned,
        )
        assert (flow.state(job), flow.reason(job), flow.bench.claim(now=2000)) == (CANCELLED, "no", [])

    def test_cancel_and_the_finish_that_lets_it_go_on(self, flow: Flow, other: Flow, turned: bool) -> None:
        first = flow.job()
        then = flow.job(first)
        (claimed,) = flow.bench.claim()
        run(
            flow,
            other,
            lambda one: (
                one.end(claimed) if one is flow else one.store.jobs.cancel(then.id, reason="no", now=1000)
            ),
            turned,
        )
        assert (flow.state(first), flow.state(then), flow.bench.claim()) == (COMPLETED, CANCELLED, [])

    def test_a_cancelled_flow_and_the_retry_of_what_died(self, flow: Flow, other: Flow, turned: bool) -> None:
        load = flow.job()
        report, tidy = flow.job(load), flow.job(load, ends="dead", state=BLOCKED)
        flow.run(load, DEAD)

        def cancel(one: Flow) -> None:
            with one.store.transaction():
                for found in one.store.flows.open_jobs(load.id):
                    one.store.jobs.cancel(found, reason="no", now=1000)

        run(
            flow,
            other,
            lambda one: (
                cancel(one) if one is flow else one.store.jobs.retry(load.id, load.frozen, None, now=1000)
            ),
            turned,
        )
        assert (flow.state(report), flow.state(tidy)) == (CANCELLED, CANCELLED)
        if turned:  # the retry came first, and was cancelled with the rest
            assert (flow.state(load), flow.bench.claim(9)) == (CANCELLED, [])
        else:  # the flow was over; what was retried runs, and nothing comes back to life
            flow.run(load)
            assert (flow.state(load), flow.state(report), flow.bench.claim(9)) == (COMPLETED, CANCELLED, [])

    def test_replace_and_finish(self, flow: Flow, other: Flow, turned: bool) -> None:
        gate = Concurrency(key="db", on_conflict=OnConflict.REPLACE)
        at_gate = {"state": BLOCKED, "blocked_by": BlockedBy.GATE, "concurrency": gate}
        flow.bench.enqueue(**at_gate)
        flow.store.gates.admit(now=1000)
        (running,) = flow.bench.claim()
        new = flow.bench.enqueue(**at_gate)
        late = run(
            flow,
            other,
            lambda one: one.store.gates.admit(now=1000) if one is flow else one.end(running),
            turned,
        )
        if turned:  # it had ended: there was nothing to replace
            assert (flow.state(running), late) == (COMPLETED, [new.id])
        else:  # its worker learns that it is to stop, and ends it as it stands
            assert (flow.state(running), late) == (PROCESSING, False)
            assert other.end(other.bench.now(running), CANCELLED)
            assert flow.store.gates.admit(now=1000) == [new.id]
        assert [job.id for job in flow.bench.claim(9)] == [new.id]

    @pytest.mark.parametrize("limit", ["slot", "queue"])
    def test_two_claimers_at_the_last_slot(self, flow: Flow, other: Flow, turned: bool, limit: str) -> None:
        for _ in range(4):
            if limit == "slot":
                gate = Concurrency(key="db", limit=2)
                flow.bench.enqueue(state=BLOCKED, blocked_by=BlockedBy.GATE, concurrency=gate)
            else:
                flow.bench.enqueue()
        flow.store.gates.limit_queue("default", running=2 if limit == "queue" else None, interval_us=None)
        flow.store.gates.admit(now=1000)
        assert len(flow.bench.claim(1)) == 1

        def claim(one: Flow) -> list[Job]:
            with one.store.transaction():
                one.store.gates.admit(now=1000)
                return one.bench.claim(9, worker=f"w{one is flow}")

        assert run(flow, other, claim, turned) == [], "the one who comes last finds none"
        assert flow.store.jobs.counts()[PROCESSING] == 2

    def test_a_deleted_need_and_its_retry(self, flow: Flow, other: Flow, turned: bool) -> None:
        load = flow.job()
        report = flow.job(load)
        flow.run(load, DEAD)

        def act(one: Flow) -> None:
            with one.store.transaction():
                if one is flow:
                    one.delete(*(load for job in [one.bench.now(load)] if job.state in FINAL))
                else:
                    one.store.jobs.retry(load.id, load.frozen, None, now=1000)

        run(flow, other, act, turned)
        assert flow.state(report) is (BLOCKED if turned else CANCELLED)
        assert [job.id for job in flow.bench.claim(9)] == ([load.id] if turned else [])


def run(flow: Flow, other: Flow, act: Callable[[Flow], object], turned: bool) -> object:
    """Let both act at once, and `flow` commit first; `turned`: last. Returns what the last one returns."""
    first, last = (other, flow) if turned else (flow, other)
    return Race(first.store)(lambda: act(first), lambda: act(last))
