"""Stores to test. The contract suite (test_*_contract.py, test_history.py) runs once for each kind of database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from queuectl.model.job import AttemptEnd, Job, NewJob
from queuectl.model.spec import JobSpec
from queuectl.model.states import BlockedBy, JobState, Outcome
from queuectl.model.transition import Transition
from queuectl.store.store import Store

if TYPE_CHECKING:
    from tests.store.flow import Flow

KINDS = ["sqlite"]
OpenStore = Callable[[], Store]


@pytest.fixture(params=KINDS)
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenStore]:
    """Opens further connections to one and the same queue, as other processes have them."""
    with ExitStack() as stack:

        def opened() -> Store:
            store = {"sqlite": lambda: Store.open(tmp_path / "queue.db")}[request.param]()
            assert store is not None
            stack.callback(store.close)
            return store

        yield opened


@pytest.fixture
def store(open_store: OpenStore) -> Store:
    """A queue with nothing in it."""
    return open_store()


class Bench:
    """Drives jobs through the store's verbs. Instants are small numbers: `now` is 1000 unless it is said."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def enqueue(self, *, now: int = 1000, **changes: Any) -> Job:
        """A pending job of `true`; a field of NewJob or of JobSpec may be changed."""
        fields: dict[str, Any] = {"state": JobState.PENDING, "run_at": now}
        fields |= {name: changes.pop(name) for name in tuple(changes) if name in NewJob.__slots__}
        if fields["state"] is JobState.BLOCKED:
            fields.setdefault("blocked_by", BlockedBy.SPEC)
        fields.setdefault("frozen", JobSpec(**{"command": "true", "retries": 3} | changes))
        job = self.store.jobs.enqueue(NewJob(**fields), now=now)
        assert job is not None
        return job

    def claim(
        self,
        limit: int = 1,
        *,
        worker: str = "w1",
        queues: Sequence[str] = (),
        idle: bool = False,
        now: int = 1000,
        **more: Any,
    ) -> list[Job]:
        """What a worker gets."""
        outputs = [f"{worker}-{number}.log" for number in range(limit)]
        return list(
            self.store.jobs.claim(
                worker=worker, host="here", queues=queues, outputs=outputs, idle=idle, now=now, **more
            )
        )

    def finish(
        self,
        job: Job,
        state: JobState = JobState.COMPLETED,
        *,
        outcome: Outcome = Outcome.SUCCEEDED,
        run_at: int | None = None,
        losses: int = 0,
        now: int = 1000,
        **end: Any,
    ) -> bool:
        """End the attempt that `job` is on."""
        transition = Transition(state=state, run_at=run_at, failures=job.failures, losses=losses)
        return self.store.jobs.finish(job, AttemptEnd(outcome=outcome, **end), transition, now=now)

    def in_state(self, state: JobState, *, now: int = 1000, **changes: Any) -> Job:
        """A job that came to a state by the way that leads there."""
        if state not in {JobState.BLOCKED, JobState.SCHEDULED, JobState.PENDING}:
            changes = {"priority": 1000} | changes  # it is the one that is claimed
        match state:
            case JobState.BLOCKED | JobState.PENDING:
                return self.enqueue(state=state, now=now, **changes)
            case JobState.SCHEDULED:
                return self.enqueue(state=state, now=now, **{"run_at": now + 60_000} | changes)
            case JobState.PROCESSING:
                return self.processing(now=now, **changes)
        if state is JobState.CANCELLED:
            job = self.enqueue(now=now, **changes)
            self.store.jobs.cancel(job.id, reason="no", now=now)
        else:
            job = self.processing(now=now, **changes)
            ends = {
                JobState.COMPLETED: (Outcome.SUCCEEDED, None),
                JobState.FAILED: (Outcome.FAILED, now + 60_000),
                JobState.DEAD: (Outcome.FAILED, None),
            }
            outcome, run_at = ends[state]
            assert self.finish(job, state, outcome=outcome, run_at=run_at, now=now)
        return self.now(job)

    def processing(self, *, now: int = 1000, worker: str = "w1", **changes: Any) -> Job:
        """A job that a worker has claimed. It must be the first in the order of claims."""
        new = self.enqueue(now=now, **changes)
        (job,) = self.claim(worker=worker, now=now)
        assert job.id == new.id
        return job

    def now(self, job: Job) -> Job:
        """The job as it is now."""
        found = self.store.jobs.get(job.id)
        assert found is not None
        return found


@pytest.fixture
def bench(store: Store) -> Bench:
    """The store with ways to drive it."""
    return Bench(store)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a SQLite queue may be made."""
    return tmp_path / "queue.db"


@pytest.fixture
def flow(store: Store) -> Flow:
    from tests.store.flow import Flow  # it drives a Bench

    return Flow(store)


@pytest.fixture
def other(open_store: OpenStore) -> Flow:
    """The same queue through another connection."""
    from tests.store.flow import Flow

    return Flow(open_store())
