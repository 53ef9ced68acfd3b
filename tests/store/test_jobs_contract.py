"""What every database must do with jobs: each verb in each state, and what guards them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from queuectl.model.env import EnvRef
from queuectl.model.errors import QueuectlError
from queuectl.model.fire import Fire
from queuectl.model.job import Job, NewJob
from queuectl.model.spec import JobSpec, Keep
from queuectl.model.states import FireOutcome, JobState, Outcome
from queuectl.store import listing
from queuectl.store.listing import JobFilter
from tests.store.conftest import Bench

BLOCKED, SCHEDULED, PENDING, PROCESSING, FAILED, COMPLETED, DEAD, CANCELLED = JobState
LATER = 2_000_000
OTHER = JobSpec(command="false", retries=1, queue="other", priority=5)


def ids(jobs: list[Job]) -> list[int]:
    return [job.id for job in jobs]


# Each verb in each state. A state that isn't named for a verb is left as it is.

VERBS: dict[str, tuple[Callable[[Bench, Job], object], dict[JobState, JobState]]] = {
    "claim": (lambda b, _: b.claim(9, worker="w2", idle=True, now=LATER), {PENDING: PROCESSING}),
    "promote": (
        lambda b, _: b.store.jobs.promote(now=LATER),
        {SCHEDULED: PENDING, FAILED: PENDING, BLOCKED: PENDING},
    ),
    "promote before it is due": (lambda b, _: b.store.jobs.promote(now=1000), {BLOCKED: PENDING}),
    "expire": (lambda b, _: b.store.jobs.expire(now=LATER), {BLOCKED: CANCELLED, PENDING: CANCELLED}),
    "expire before its time": (lambda b, _: b.store.jobs.expire(now=1500), {}),
    "cancel": (
        lambda b, job: b.store.jobs.cancel(job.id, reason="enough", now=LATER),
        dict.fromkeys((BLOCKED, SCHEDULED, PENDING, FAILED), CANCELLED),
    ),
    "retry": (
        lambda b, job: b.store.jobs.retry(job.id, OTHER, 7, now=LATER),
        {DEAD: PENDING, CANCELLED: PENDING},
    ),
    "hurry": (lambda b, job: b.store.jobs.hurry(job.id, now=LATER), {FAILED: PENDING}),
    "refreeze": (lambda b, job: b.store.jobs.refreeze(job.id, OTHER, 7, run_at=None, now=LATER), {}),
    "refreeze for later": (
        lambda b, job: b.store.jobs.refreeze(job.id, OTHER, 7, run_at=LATER + 1, now=LATER),
        {PENDING: SCHEDULED},
    ),
    "refreeze for now": (
        lambda b, job: b.store.jobs.refreeze(job.id, OTHER, 7, run_at=LATER, now=LATER),
        {SCHEDULED: PENDING},
    ),
    "finish": (
        lambda b, job: b.finish(replace(job, worker=job.worker or "w1"), now=LATER),
        {PROCESSING: COMPLETED},
    ),
}
TOUCHES = {
    "cancel": {PROCESSING},
    "refreeze": {BLOCKED, SCHEDULED, PENDING, FAILED},
    "refreeze for later": {BLOCKED, SCHEDULED, FAILED},
    "refreeze for now": {BLOCKED, PENDING, FAILED},
}
"""States that a verb leaves, though it changes the job otherwise."""


@pytest.mark.parametrize("state", JobState)
@pytest.mark.parametrize("verb", VERBS)
def test_verb_in_state(bench: Bench, verb: str, state: JobState) -> None:
    act, leads_to = VERBS[verb]
    before = bench.in_state(state, spec="s", expires_at=1500)

    act(bench, before)

    after = bench.now(before)
    assert after.state is leads_to.get(state, state)
    changed = state in leads_to or state in TOUCHES.get(verb, ())
    assert (after != before) is changed
    assert not changed or after.updated_at == (1000 if "due" in verb else LATER)
    assert (after.finished_at is not None) is (after.state in {COMPLETED, DEAD, CANCELLED})
    check_counts(bench)


@pytest.mark.parametrize("state", JobState)
def test_forget_deletes_all_but_what_runs(bench: Bench, state: JobState) -> None:
    job = bench.in_state(state)

    count, _ = bench.store.history.forget([job.id])

    kept = state is PROCESSING
    assert count == (0 if kept else 1)
    assert (bench.store.jobs.get(job.id) is not None) is kept
    assert len(bench.store.attempts.of_job(job.id)) == (1 if kept else 0)


@pytest.mark.parametrize("verb", ["retry", "hurry", "cancel", "refreeze"])
def test_verbs_say_none_of_a_job_that_is_not_there(bench: Bench, verb: str) -> None:
    act, _ = VERBS[verb]
    job = bench.enqueue()
    bench.store.history.forget([job.id])

    assert act(bench, job) is None


def check_counts(bench: Bench) -> None:
    """What is counted is what is there."""
    jobs = bench.store.jobs.list()
    assert {state: count for state, count in bench.store.jobs.counts().items() if count} == Counter(
        job.state for job in jobs
    )
    waiting, processing = (
        Counter(job.queue for job in jobs if job.state in states)
        for states in ({BLOCKED, SCHEDULED, PENDING, FAILED}, {PROCESSING})
    )
    for queue in bench.store.queues.list():
        assert (queue.waiting, queue.processing) == (waiting[queue.name], processing[queue.name])


@pytest.mark.parametrize("state", JobState)
def test_counts_follow_a_job_to_its_end(bench: Bench, state: JobState) -> None:
    job = bench.in_state(state, spec="s", keep={"cancelled": Keep(count=1)})
    other = bench.in_state(state, queue="other")
    check_counts(bench)

    bench.store.jobs.refreeze(job.id, OTHER, 7, run_at=None, now=LATER)
    check_counts(bench)
    bench.store.history.forget([job.id, other.id])
    check_counts(bench)

    def fail() -> None:
        with bench.store.transaction():
            bench.enqueue()
            raise QueuectlError("no")

    with pytest.raises(QueuectlError, match="no"):
        fail()
    check_counts(bench)


# Enqueue


def test_enqueue_gives_back_what_was_put_in(bench: Bench) -> None:
    frozen = JobSpec(
        command=("printf", "a\tb", "ü"),
        env={"A": "1", "B": EnvRef(from_env="HOME")},
        retries=2,
        keep={"completed": Keep(count=3)},
        priority=-7,
        queue="mail",
    )
    new = NewJob(
        frozen=frozen, key="k", spec="s", spec_version=4, state=SCHEDULED, run_at=5, expires_at=6, fire_at=4
    )

    job = bench.store.jobs.enqueue(new, now=3)

    assert job == bench.store.jobs.get(job.id) == bench.store.jobs.by_key("k")
    assert (job.frozen, job.key, job.spec, job.spec_version) == (frozen, "k", "s", 4)
    assert (job.state, job.run_at, job.expires_at, job.fire_at) == (SCHEDULED, 5, 6, 4)
    assert (job.queue, job.priority, job.max_retries) == ("mail", -7, 2)
    assert (job.attempt, job.failures, job.losses, job.worker, job.exit_code) == (0, 0, 0, None, None)
    assert (job.created_at, job.updated_at, job.finished_at) == (3, 3, None)
    assert [queue.name for queue in bench.store.queues.list()] == ["mail"]


def test_a_key_is_there_once_whatever_became_of_its_job(bench: Bench) -> None:
    for state in JobState:
        job = bench.in_state(state, key=f"key of {state}")
        again = NewJob(frozen=OTHER, key=f"key of {state}", state=PENDING, run_at=0)

        assert bench.store.jobs.enqueue(again, now=2000) is None
        assert bench.now(job) == job


def test_a_key_is_free_again_when_its_job_is_forgotten(bench: Bench) -> None:
    job = bench.enqueue(key="k")
    bench.store.history.forget([job.id])

    assert bench.enqueue(key="k").id != job.id


def test_many_come_in_with_ids_in_their_order(bench: Bench) -> None:
    news = [
        NewJob(
            frozen=JobSpec(command=f"echo {n}", queue=f"q{n // 600}", priority=n % 2 if n > 1500 else 0),
            state=PENDING if n < 1600 else SCHEDULED,
            run_at=1 if n < 1600 else n,
        )
        for n in range(1700)
    ]

    ids = bench.store.jobs.enqueue_many(news, now=3)

    assert ids == list(range(1, 1701))
    found = [bench.store.jobs.get(i) for i in ids if i]
    assert [(job.frozen, job.state, job.run_at) for job in found if job] == [
        (new.frozen, new.state, new.run_at) for new in news
    ]
    assert [queue.name for queue in bench.store.queues.list()] == ["q0", "q1", "q2"]


def test_of_many_those_have_no_id_whose_key_is_there_already(bench: Bench) -> None:
    bench.enqueue(key="old")
    keys = ["a", "old", None, "a", None, "old", "b", "b", "a", "c"]
    news = [NewJob(frozen=OTHER, key=key, state=PENDING, run_at=0) for key in keys]

    ids = bench.store.jobs.enqueue_many(news, now=3)

    assert [i is not None for i in ids] == [True, False, True, False, True, False, True, False, False, True]
    made = [i for i in ids if i is not None]
    assert made == sorted(made)
    assert [job.key for i in made if (job := bench.store.jobs.get(i))] == ["a", None, None, "b", "c"]


def test_none_of_many_comes_in_when_one_can_not(bench: Bench) -> None:
    bad = NewJob(frozen=JobSpec(command=object()), state=PENDING, run_at=0)  # type: ignore[arg-type]
    good = NewJob(frozen=OTHER, state=PENDING, run_at=0)

    with pytest.raises(TypeError):
        bench.store.jobs.enqueue_many([*[good] * 600, bad], now=3)

    assert bench.store.jobs.list() == []
    assert bench.store.jobs.enqueue_many([], now=3) == []


@pytest.mark.parametrize("number", [0, -1, 99, 2**63 - 1, 2**63, -(2**63) - 1, 10**30])
def test_a_number_that_no_job_has(bench: Bench, number: int) -> None:
    bench.enqueue()
    assert bench.store.jobs.get(number) is None


# Claim


def test_claim_goes_by_priority_then_age(bench: Bench) -> None:
    low, first, second, high = (bench.enqueue(priority=priority) for priority in (-1, 0, 0, 1))

    assert ids(bench.claim(3)) == [high.id, first.id, second.id]
    assert ids(bench.claim(3)) == [low.id]
    assert bench.claim(3) == []


def test_claim_goes_by_priority_across_queues(bench: Bench) -> None:
    jobs = [
        bench.enqueue(queue=queue, priority=priority)
        for queue, priority in (("a", 1), ("b", 3), ("c", 2), ("a", 3), ("b", 1))
    ]
    order = [jobs[1], jobs[3], jobs[2], jobs[0], jobs[4]]

    assert ids(bench.claim(2)) == ids(order[:2])
    assert ids(bench.claim(9)) == ids(order[2:])


def test_claim_of_some_queues_takes_no_others(bench: Bench) -> None:
    a, _, c = (bench.enqueue(queue=queue) for queue in "abc")

    assert bench.claim(9, queues=["nobody's"]) == []
    assert ids(bench.claim(9, queues=["c", "a", "nobody's"])) == [a.id, c.id]


def test_claim_leaves_paused_queues(bench: Bench) -> None:
    a, b = (bench.enqueue(queue=queue) for queue in "ab")
    bench.store.queues.pause("a", who="me", now=0)

    assert bench.claim(9, queues=["a"]) == []
    assert ids(bench.claim(9)) == [b.id]
    bench.store.queues.resume("a")
    assert ids(bench.claim(9)) == [a.id]


def test_claim_starts_an_attempt(bench: Bench) -> None:
    job = bench.enqueue()

    (claimed,) = bench.claim(worker="w7", now=1234)

    assert (claimed.state, claimed.attempt, claimed.worker, claimed.updated_at) == (PROCESSING, 1, "w7", 1234)
    assert bench.now(job) == claimed
    (attempt,) = bench.store.attempts.of_job(job.id)
    assert (attempt.number, attempt.worker, attempt.host, attempt.started_at) == (1, "w7", "here", 1234)
    assert (attempt.outcome, attempt.finished_at, attempt.pid) == (None, None, None)
    assert bench.store.attempts.running_of_worker("w7") == [attempt]


def test_two_connections_never_claim_the_same_job(bench: Bench, open_store: Callable[[], Any]) -> None:
    other = type(bench)(open_store())
    jobs = [bench.enqueue() for _ in range(20)]

    claimed = []
    for number in range(10):
        claimed += bench.claim(1, worker="w1") + other.claim(1, worker="w2")
        assert len(claimed) == 2 * number + 2

    assert sorted(ids(claimed)) == ids(jobs)
    assert {job.worker for job in claimed} == {"w1", "w2"}


def test_the_attempt_number_rises_with_every_claim_and_survives_a_retry(bench: Bench) -> None:
    job = bench.enqueue()
    for number in (1, 2, 3):
        (claimed,) = bench.claim()
        assert claimed.attempt == number
        bench.finish(claimed, PENDING, outcome=Outcome.INTERRUPTED)
    (claimed,) = bench.claim()
    bench.finish(claimed, DEAD, outcome=Outcome.FAILED)
    bench.store.jobs.retry(job.id, OTHER, None, now=0)

    (claimed,) = bench.claim()

    assert claimed.attempt == 5
    assert [attempt.number for attempt in bench.store.attempts.of_job(job.id)] == [1, 2, 3, 4, 5]


# Quarantine: jobs that two workers died under


def quarantined(bench: Bench, *, losses: int = 2, **changes: Any) -> Job:
    bench.enqueue(**changes, priority=1000)
    (job,) = bench.claim()
    bench.finish(job, PENDING, outcome=Outcome.LOST, losses=losses)
    return bench.now(job)


def test_a_job_that_was_lost_twice_is_claimed_alone_by_an_idle_worker(bench: Bench) -> None:
    killer = quarantined(bench)
    others = [bench.enqueue(priority=1000) for _ in range(3)]

    assert ids(bench.claim(2, idle=False)) == ids(others[:2])
    assert ids(bench.claim(4, idle=True)) == [killer.id]
    assert ids(bench.claim(4, idle=True)) == [others[2].id]


def test_a_busy_worker_claims_nothing_where_nobody_may_overtake_it(bench: Bench) -> None:
    killer = quarantined(bench)
    other = bench.enqueue()
    asked: list[int] = []

    assert bench.claim(2, may_overtake=lambda job_id: bool(asked.append(job_id))) == []
    assert asked == [killer.id]
    assert ids(bench.claim(2, may_overtake=lambda _: True)) == [other.id]


def test_a_job_that_was_lost_once_is_claimed_with_others(bench: Bench) -> None:
    lost_once = quarantined(bench, losses=1)
    other = bench.enqueue()

    assert ids(bench.claim(4, idle=False)) == [lost_once.id, other.id]


def test_a_quarantined_job_further_back_waits_for_its_turn(bench: Bench) -> None:
    killer = quarantined(bench)
    first = bench.enqueue(priority=1000)
    bench.store.jobs.refreeze(killer.id, JobSpec(command="true"), None, run_at=None, now=0)
    last = bench.enqueue(priority=-5)

    assert ids(bench.claim(4, idle=True)) == [first.id, last.id]
    assert ids(bench.claim(4, idle=True)) == [killer.id]


def test_a_retry_by_hand_ends_the_quarantine(bench: Bench) -> None:
    killer = quarantined(bench, losses=5)
    (claimed,) = bench.claim(idle=True)
    bench.finish(claimed, DEAD, outcome=Outcome.LOST, losses=6)
    bench.store.jobs.retry(killer.id, OTHER, None, now=0)

    assert ids(bench.claim(idle=False)) == [killer.id]


# Finish


def test_finish_writes_job_and_attempt_together(bench: Bench) -> None:
    bench.enqueue()
    (job,) = bench.claim(now=1000)

    assert bench.finish(
        job,
        FAILED,
        outcome=Outcome.FAILED,
        run_at=9000,
        exit_code=3,
        output=b"\xff\0tail",
        output_bytes=70_000,
        output_file="1-1.log",
        truncated=True,
        cpu_ms=12,
        max_rss_kib=345,
        now=1250,
    )

    job = bench.now(job)
    assert (job.state, job.run_at, job.exit_code, job.finished_at, job.updated_at) == (
        FAILED,
        9000,
        3,
        None,
        1250,
    )
    attempt = bench.store.attempts.get(job.id, 1)
    assert (attempt.outcome, attempt.exit_code, attempt.finished_at, attempt.duration_ms) == (
        Outcome.FAILED,
        3,
        1250,
        250,
    )
    assert (attempt.output, attempt.output_bytes, attempt.output_file) == (b"\xff\0tail", 70_000, "1-1.log")
    assert (attempt.truncated, attempt.cpu_ms, attempt.max_rss_kib) == (True, 12, 345)
    assert bench.store.attempts.running_of_worker("w1") == []


def test_a_late_finisher_loses_to_the_attempt_after_his(bench: Bench) -> None:
    bench.enqueue()
    (late,) = bench.claim(worker="w1")
    bench.finish(late, PENDING, outcome=Outcome.LOST, losses=1)  # somebody held w1 for dead
    (winner,) = bench.claim(worker="w2")

    assert not bench.finish(late, COMPLETED, now=5000)
    assert bench.now(winner) == winner
    assert bench.finish(winner, DEAD, outcome=Outcome.FAILED)
    assert not bench.finish(late, COMPLETED, now=5000)

    assert bench.now(winner).state is DEAD
    outcomes = [attempt.outcome for attempt in bench.store.attempts.of_job(winner.id)]
    assert outcomes == [Outcome.LOST, Outcome.FAILED]


@pytest.mark.parametrize("changes", [{"worker": "w2"}, {"attempt": 2}, {"attempt": 0}, {"worker": None}])
def test_only_the_holder_finishes(bench: Bench, changes: dict[str, Any]) -> None:
    bench.enqueue()
    (job,) = bench.claim(worker="w1")

    assert not bench.finish(replace(job, **changes))
    assert bench.now(job) == job
    assert bench.store.attempts.get(job.id, 1).outcome is None


def test_a_finish_is_recorded_once(bench: Bench) -> None:
    bench.enqueue()
    (job,) = bench.claim()

    assert bench.finish(job, COMPLETED, now=2000)
    assert not bench.finish(job, DEAD, outcome=Outcome.FAILED, now=3000)
    assert (bench.now(job).state, bench.now(job).finished_at) == (COMPLETED, 2000)


def test_a_clock_that_went_back_gives_no_negative_duration(bench: Bench) -> None:
    bench.enqueue()
    (job,) = bench.claim(now=5000)
    bench.finish(job, now=4000)

    assert bench.store.attempts.get(job.id, 1).duration_ms == 0


# Promote, unblock, expire


def test_promote_takes_what_is_due_and_no_more(bench: Bench) -> None:
    due = [bench.enqueue(state=SCHEDULED, run_at=at) for at in (1, 500, 1000)]
    not_due = bench.enqueue(state=SCHEDULED, run_at=1001)

    assert len(bench.store.jobs.promote(now=1000)) == 3
    assert [bench.now(job).state for job in due] == [PENDING] * 3
    assert bench.now(not_due).state is SCHEDULED
    assert bench.store.jobs.promote(now=1000) == []


def test_promote_goes_on_past_its_limit(bench: Bench) -> None:
    for _ in range(5):
        bench.enqueue(state=SCHEDULED, run_at=1)

    assert [len(bench.store.jobs.promote(now=1000, limit=2)) for _ in range(4)] == [2, 2, 1, 0]


@pytest.mark.parametrize("state", [SCHEDULED, PENDING, PROCESSING, FAILED])
def test_a_blocked_job_waits_while_another_of_its_spec_is_open(bench: Bench, state: JobState) -> None:
    bench.in_state(state, spec="s")
    blocked = bench.enqueue(state=BLOCKED, spec="s")

    bench.store.jobs.promote(now=1000)

    assert bench.now(blocked).state is BLOCKED


def test_blocked_jobs_of_a_spec_are_let_go_one_by_one_oldest_first(bench: Bench) -> None:
    first, second = (bench.enqueue(state=BLOCKED, spec="s", reason="waits") for _ in range(2))
    other = bench.enqueue(state=BLOCKED, spec="t")
    done = bench.in_state(COMPLETED, spec="s")

    assert len(bench.store.jobs.promote(now=1000)) == 2
    assert [bench.now(job).state for job in (first, second, other, done)] == [
        PENDING,
        BLOCKED,
        PENDING,
        COMPLETED,
    ]
    assert bench.now(first).reason is None
    bench.store.jobs.cancel(first.id, reason="no", now=1000)
    bench.store.jobs.promote(now=1000)
    assert bench.now(second).state is PENDING


def test_a_blocked_job_that_is_not_due_goes_on_waiting_for_its_time(bench: Bench) -> None:
    job = bench.enqueue(state=BLOCKED, spec="s", run_at=5000)

    bench.store.jobs.promote(now=1000)

    assert bench.now(job).state is SCHEDULED


def test_expire_writes_job_and_ledger(bench: Bench) -> None:
    late = bench.enqueue(spec="s", fire_at=100, expires_at=900)
    in_time = bench.enqueue(spec="s", fire_at=200, expires_at=1000)
    never = bench.enqueue(spec="s", fire_at=300)
    for job in (late, in_time, never):
        bench.store.fires.record(Fire(spec="s", due_at=job.fire_at, outcome=FireOutcome.FIRED, job_id=job.id))

    assert bench.store.jobs.expire(now=1000) == [late.id]

    assert [bench.now(job).state for job in (late, in_time, never)] == [CANCELLED, PENDING, PENDING]
    assert "start_within" in bench.now(late).reason
    outcomes = {fire.due_at: fire.outcome for fire in bench.store.fires.list()}
    assert outcomes == {100: FireOutcome.EXPIRED, 200: FireOutcome.FIRED, 300: FireOutcome.FIRED}


def test_jobs_that_have_started_do_not_stand_in_the_way_of_those_that_expire(bench: Bench) -> None:
    for _ in range(3):
        bench.enqueue(expires_at=900)
    for job in bench.claim(3):
        bench.finish(job, PENDING, outcome=Outcome.INTERRUPTED)
    late = bench.enqueue(expires_at=900)

    assert bench.store.jobs.expire(now=1000, limit=2) == [late.id]


def test_next_deadline_is_the_first_of_all(bench: Bench) -> None:
    assert bench.store.next_deadline() is None
    bench.enqueue(state=PENDING, run_at=1)
    assert bench.store.next_deadline() is None
    bench.enqueue(state=SCHEDULED, run_at=9000)
    assert bench.store.next_deadline() == 9000
    bench.enqueue(state=PENDING, expires_at=8000)
    assert bench.store.next_deadline() == 8001
    bench.enqueue(state=BLOCKED, spec="s", expires_at=7000)
    assert bench.store.next_deadline() == 7001
    failed = bench.enqueue(priority=9)
    bench.claim()
    bench.finish(replace(failed, attempt=1, worker="w1"), FAILED, outcome=Outcome.FAILED, run_at=6000)
    assert bench.store.next_deadline() == 6000


# Cancel, retry, refreeze


def test_cancel_of_a_running_job_is_a_request_to_its_worker(bench: Bench) -> None:
    job = bench.in_state(PROCESSING)

    asked = bench.store.jobs.cancel(job.id, reason="enough", now=2000)

    assert (asked.state, asked.cancel_requested_at, asked.reason) == (PROCESSING, 2000, "enough")
    assert bench.store.jobs.cancel_requests("w1") == [job.id]
    assert bench.store.jobs.cancel_requests("w2") == []
    assert not bench.finish(job, now=2001), "read before it was asked for"
    assert bench.finish(asked, CANCELLED, outcome=Outcome.CANCELLED, now=2001)
    assert bench.store.jobs.cancel_requests("w1") == []
    assert bench.now(job).cancel_requested_at is None


def test_cancel_ends_a_waiting_job_with_its_reason(bench: Bench) -> None:
    job = bench.store.jobs.cancel(bench.enqueue().id, reason="enough", now=2000)

    assert (job.state, job.reason, job.finished_at) == (CANCELLED, "enough", 2000)


def test_retry_starts_afresh_with_what_it_is_given(bench: Bench) -> None:
    bench.enqueue(spec="s", spec_version=1, expires_at=2)
    (job,) = bench.claim()
    job = replace(job, failures=4)
    bench.finish(job, DEAD, outcome=Outcome.FAILED, losses=3, exit_code=9)
    assert (bench.now(job).failures, bench.now(job).losses, bench.now(job).exit_code) == (4, 3, 9)

    again = bench.store.jobs.retry(job.id, OTHER, 2, now=5000)

    assert again == bench.now(job)
    assert (again.failures, again.losses, again.exit_code, again.reason) == (0, 0, None, None)
    assert (again.frozen, again.spec_version, again.queue, again.priority) == (OTHER, 2, "other", 5)
    assert (again.run_at, again.expires_at, again.finished_at, again.attempt) == (5000, None, None, 1)
    assert ids(bench.claim(queues=["other"])) == [job.id]


def test_refreeze_moves_a_waiting_job_to_its_new_queue(bench: Bench) -> None:
    job = bench.enqueue()

    changed = bench.store.jobs.refreeze(job.id, OTHER, 2, run_at=None, now=2000)

    assert (changed.frozen, changed.spec_version, changed.run_at) == (OTHER, 2, job.run_at)
    assert bench.claim(queues=["default"]) == []
    assert ids(bench.claim(queues=["other"])) == [job.id]


# Reading


def test_list_is_newest_first_filtered_and_paged(bench: Bench) -> None:
    a = bench.in_state(PENDING, spec="a", queue="x", now=10)
    b = bench.in_state(DEAD, spec="b", queue="x", now=20)
    c = bench.in_state(CANCELLED, spec="a", queue="y", now=30)
    listed = bench.store.jobs.list

    assert ids(listed()) == [c.id, b.id, a.id]
    assert ids(listed(limit=2)) == [c.id, b.id]
    assert ids(listed(JobFilter(before_id=b.id))) == [a.id]
    assert ids(listed(JobFilter(states={DEAD, CANCELLED}))) == [c.id, b.id]
    assert ids(listed(JobFilter(states=set()))) == []
    assert ids(listed(JobFilter(spec="a"))) == [c.id, a.id]
    assert ids(listed(JobFilter(queue="x"))) == [b.id, a.id]
    assert ids(listed(JobFilter(since=20))) == [c.id, b.id]
    assert ids(listed(JobFilter(spec="a", states={PENDING}, queue="x", since=10))) == [a.id]


FILTERS = [
    {
        name: value
        for name, value in (
            ("states", states),
            ("spec", spec),
            ("queue", queue),
            ("since", since),
            ("before_id", before_id),
        )
        if value is not None
    }
    for states in (None, set(), {COMPLETED}, {PROCESSING}, {PENDING, DEAD, PROCESSING})
    for spec in (None, "a", "nobody")
    for queue in (None, "x", "nowhere")
    for since in (None, 0, 130, 200)
    for before_id in (None, 17)
]


@pytest.mark.parametrize("few", [3, 20, 2_000])
def test_list_finds_what_looking_through_all_would_find(
    bench: Bench, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By whichever index; with few changed jobs and with many."""
    monkeypatch.setattr(listing, "FEW", few)
    states = [*JobState, COMPLETED, PENDING]
    for number in range(30):
        spec, queue = (None, "a", "b")[number % 3], ("x", "y")[number // 3 % 2]
        bench.in_state(states[number * 7 % len(states)], spec=spec, queue=queue, now=100 + number * 7 % 60)
    everything = [job for number in range(30, 0, -1) if (job := bench.store.jobs.get(number))]

    def wanted(job: Job, by: dict[str, Any]) -> bool:
        return (
            job.state in by.get("states", JobState)
            and by.get("spec") in {None, job.spec}
            and by.get("queue") in {None, job.queue}
            and job.updated_at >= by.get("since", 0)
            and job.id < by.get("before_id", 99)
        )

    assert len(everything) == 30
    for by in FILTERS:
        for limit in (2, 100):
            expected = [job for job in everything if wanted(job, by)][:limit]
            assert bench.store.jobs.list(JobFilter(**by), limit=limit) == expected, (by, limit)


def test_counts_name_every_state(bench: Bench) -> None:
    assert bench.store.jobs.counts() == dict.fromkeys(JobState, 0)
    for state in JobState:
        bench.in_state(state, spec=str(state))
    assert bench.store.jobs.counts() == dict.fromkeys(JobState, 1)


def test_open_and_newest_of_a_spec(bench: Bench) -> None:
    jobs = {state: bench.in_state(state, spec="s") for state in JobState}
    bench.enqueue(spec="t")

    open_states = (BLOCKED, SCHEDULED, PENDING, PROCESSING, FAILED)
    assert ids(bench.store.jobs.open_of_spec("s")) == [jobs[state].id for state in open_states]
    assert bench.store.jobs.newest_of_spec("s") == jobs[CANCELLED]
    assert bench.store.jobs.newest_of_spec("nobody") is None


def test_averages_and_oldest(bench: Bench) -> None:
    assert bench.store.jobs.average_duration_ms() is None
    assert bench.store.jobs.oldest_pending() is None
    for duration in (100, 300):
        bench.enqueue()
        (job,) = bench.claim(now=1000)
        bench.finish(job, now=1000 + duration)
    bench.in_state(DEAD)
    bench.enqueue(run_at=700)
    bench.enqueue(run_at=400)
    bench.enqueue(state=SCHEDULED, run_at=1)

    assert bench.store.jobs.average_duration_ms() == 200
    assert bench.store.jobs.average_duration_ms(sample=1) == 300
    assert bench.store.jobs.oldest_pending() == 400


@pytest.mark.parametrize("state", JobState)
def test_busy_means_that_something_will_run_without_anybody_doing_anything(
    bench: Bench, state: JobState
) -> None:
    bench.in_state(state, spec="s")

    assert bench.store.jobs.busy([]) is (state in {PENDING, PROCESSING, FAILED})
    assert not bench.store.jobs.busy(["other"])
    bench.store.queues.pause("default", who="me", now=0)
    assert bench.store.jobs.busy(["default"]) is (state is PROCESSING)


@pytest.mark.parametrize("state", [SCHEDULED, FAILED])
def test_a_wait_that_began_in_the_future_begins_anew(bench: Bench, state: JobState) -> None:
    job = bench.in_state(state, now=1_000_000)
    assert bench.store.jobs.bring_back(now=500) == 1
    assert (bench.now(job).state, bench.now(job).run_at, bench.now(job).updated_at) == (state, 60_500, 500)
    assert bench.store.jobs.bring_back(now=500) == 0


def test_what_is_blocked_waits_for_no_instant_of_the_future(bench: Bench) -> None:
    job = bench.in_state(BLOCKED, now=1_000_000, spec="s")
    assert bench.store.jobs.bring_back(now=500) == 1
    assert bench.now(job).run_at == 500


@pytest.mark.parametrize("state", [state for state in JobState if state not in {BLOCKED, SCHEDULED, FAILED}])
def test_nothing_else_is_brought_back(bench: Bench, state: JobState) -> None:
    job = bench.in_state(state, now=1_000_000)
    assert bench.store.jobs.bring_back(now=500) == 0
    assert bench.now(job) == job


def test_an_instant_that_was_asked_for_stays_in_the_future(bench: Bench) -> None:
    asked = bench.enqueue(state=SCHEDULED, now=1_000_000, run_at=2_000_000, run_at_ms=2_000_000)
    earlier = bench.enqueue(state=SCHEDULED, now=1_000_000, run_at=1_500_000)
    assert bench.store.jobs.bring_back(now=1_000_000) == 0, "the clock was right"
    assert bench.store.jobs.bring_back(now=900_000) == 1
    assert bench.now(asked).run_at == 2_000_000
    assert bench.now(earlier).run_at == 1_400_000
