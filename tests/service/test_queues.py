from __future__ import annotations

import pytest
from msgspec.structs import replace

from queuectl.model.errors import UnknownError, UsageError
from queuectl.model.states import WAITING, JobState
from queuectl.service import queues
from queuectl.service.context import Context
from queuectl.service.queues import QueueChange
from tests.service.conftest import NOON
from tests.store.conftest import Bench


@pytest.fixture
def bench(ctx: Context) -> Bench:
    return Bench(ctx.store)


def test_pause_and_resume_say_whether_they_changed_anything(ctx: Context, bench: Bench) -> None:
    bench.enqueue(queue="mail")

    assert queues.pause(ctx, "mail") == QueueChange(name="mail", changed=True, known=True)
    assert queues.pause(ctx, "mail") == QueueChange(name="mail", changed=False, known=True)
    (queue,) = queues.list_queues(ctx)
    assert (queue.paused_at, queue.paused_by, queue.waiting) == (NOON, "ada@mill", 1)
    assert bench.claim() == []

    assert queues.resume(ctx, "mail") == QueueChange(name="mail", changed=True, known=True)
    assert queues.resume(ctx, "mail") == QueueChange(name="mail", changed=False, known=True)
    assert len(bench.claim()) == 1


def test_a_reason_may_be_given_anew(ctx: Context, bench: Bench) -> None:
    assert queues.pause(ctx, "mail", reason="it is slow").changed
    assert not queues.pause(ctx, "mail").changed
    queues.pause(replace(ctx, who="bob@mill"), "mail", reason="it is broken")
    (queue,) = queues.list_queues(ctx)
    assert (queue.paused_at, queue.paused_by, queue.pause_reason) == (NOON, "ada@mill", "it is broken")
    queues.resume(ctx, "mail")
    queues.pause(ctx, "mail")
    assert queues.list_queues(ctx)[0].pause_reason is None
    for wrong in ("x" * 1001, "\udce4", "\0"):
        with pytest.raises(UsageError, match="reason: "):
            queues.pause(ctx, "mail", reason=wrong)


def test_a_queue_that_no_job_named_may_be_paused_but_is_said_to_be_new(ctx: Context, bench: Bench) -> None:
    assert queues.pause(ctx, "mial") == QueueChange(name="mial", changed=True, known=False)
    bench.enqueue(queue="mial")
    assert bench.claim() == []


def test_a_queue_that_is_not_there_is_unknown_with_the_nearest(ctx: Context, bench: Bench) -> None:
    bench.enqueue(queue="mail")
    for act in (queues.resume, queues.clear):
        with pytest.raises(UnknownError, match=r"^there is no queue 'mial', did you mean 'mail'\?$"):
            act(ctx, "mial")


def test_clear_cancels_what_waits_in_one_queue(
    ctx: Context, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "_BATCH", 3)
    mail = {state: bench.in_state(state, queue="mail", spec="s") for state in JobState}
    other = bench.enqueue(queue="other")

    assert queues.clear(ctx, "mail") == 4

    for state, job in mail.items():
        now = bench.now(job)
        assert now.state is (JobState.CANCELLED if state in WAITING else state)
        assert state not in WAITING or now.reason == "queue mail cleared by ada@mill"
    assert bench.now(other).state is JobState.PENDING
    assert queues.clear(ctx, "mail") == 0


@pytest.mark.parametrize("name", ["", "a b", "-x", "a\n"])
def test_what_can_t_be_a_queue_is_not_paused(ctx: Context, name: str) -> None:
    with pytest.raises(UsageError, match="queue: expected a name"):
        queues.pause(ctx, name)
    assert queues.list_queues(ctx) == []
