"""A store beside its model, and what must hold of both after every step."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections import Counter
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from queuectl.model.fire import Fire
from queuectl.model.states import FINAL, BlockedBy, JobState
from queuectl.store.listing import JobFilter
from queuectl.store.store import Store
from tests.store.state_gates import QueueRow
from tests.store.state_model import Model, SpecRow, WorkerRow
from tests.store.state_values import QUEUES, SLOTS, SPECS, WORKERS

MANY = 1_000_000


_FILTERS = [
    JobFilter(states=states, spec=spec, queue=queue, since=since)
    for states, spec, queue, since in product(
        (None, FINAL, {JobState.PENDING, JobState.PROCESSING}), (None, "a"), (None, "mail"), (None, 1300)
    )
]


class _EveryVerb:
    """Hypothesis leaves most verbs out of an example, others each time: it takes more examples than a quick run has."""

    def is_enabled(self, _verb: str) -> bool:
        return True


class Compared(RuleBasedStateMachine):
    """A store that two connections are open to, and its model: they must hold the same after every step."""

    every_verb = False
    """Whether each example may have all verbs."""

    def __init__(self) -> None:
        super().__init__()
        if self.every_verb:
            self._rules_strategy.enabled_rules_strategy = st.just(_EveryVerb())
        self.folder = Path(tempfile.mkdtemp(prefix="queue-"))
        shutil.copy(_new_queue(), self.folder / "queue.db")
        self.store, self.other = _opened(self.folder), _opened(self.folder)
        self.model = Model()
        self.now = 1000

    def teardown(self) -> None:
        self.store.close()
        self.other.close()
        shutil.rmtree(self.folder)

    # Time, and who does it

    @rule(by=st.sampled_from([1, 100, 100, 300, 500, -300]))
    def pass_time(self, by: int) -> None:
        """And let the other connection go on."""
        self.now += by
        self.store, self.other = self.other, self.store

    pass_more_time = pass_time

    # After each step

    @invariant()
    def holds_what_the_model_holds(self) -> None:
        store, model = self.store, self.model
        assert {job.id: job for job in store.jobs.list(limit=MANY)} == model.jobs
        columns = "SELECT id, own_keep, purge_at, queue, priority FROM jobs"
        assert {row[0]: row[1:] for row in self._select(columns)} == {
            job_id: (*kept, model.jobs[job_id].queue, model.jobs[job_id].priority)
            for job_id, kept in model.kept.items()
        }
        attempts = self._select("SELECT job_id, number, worker_id, outcome FROM attempts")
        assert {row[:2]: row[2:] for row in attempts} == model.attempts
        assert {worker.id: WorkerRow(beat=worker.beat, paused=worker.paused_at is not None, stop=worker.stop)
                for worker in store.workers.list()} == model.workers  # fmt: skip
        assert {queue.name: QueueRow(
            paused=queue.paused_at is not None, running=queue.running_limit, interval_us=queue.interval_us,
            next_us=queue.next_us,
        ) for queue in store.queues.list()} == model.queues  # fmt: skip
        needs = self._select("SELECT job_id, needs_id, spec, ends, met FROM needs ORDER BY id")
        assert needs == [(one.job, one.on, one.spec, one.ends, one.met) for one in model.flows.needs]
        assert dict(self._select("SELECT spec, next_us FROM rates")) == model.gates.rates
        assert dict(self._select("SELECT job_id, content FROM inputs")) == model.inputs
        assert {stored.name: SpecRow(
            version=stored.version, next_due_at=stored.next_due_at, last_fire_at=stored.last_fire_at,
            paused=stored.paused_at is not None, pruned=stored.pruned_at is not None, orphaned=stored.orphaned,
            done=(stored.done_digest, stored.last_job_id),
        ) for stored in store.specs.list(pruned=True)} == model.specs  # fmt: skip
        assert self.fires() == model.fires

    @invariant()
    def counts_are_those_of_the_rows(self) -> None:
        rows = self._select("SELECT queue, state, own_keep, jobs FROM job_counts WHERE jobs <> 0")
        assert {row[:3]: row[3] for row in rows} == self.model.counts()
        by_state = Counter(job.state for job in self.model.jobs.values())
        assert self.store.jobs.counts() == {state: by_state[state] for state in JobState}

    @invariant()
    def states_are_legal(self) -> None:
        """Of the model, which holds the same."""
        running = {key for key, (_, outcome) in self.model.attempts.items() if outcome is None}
        for job in self.model.jobs.values():
            assert (job.state is JobState.PROCESSING) == ((job.id, job.attempt) in running)
            assert (job.state in FINAL) == (job.finished_at is not None)
            assert job.state is not JobState.PROCESSING or job.worker
            assert job.cancel_requested_at is None or job.state is JobState.PROCESSING
            assert (job.state is JobState.BLOCKED) == (job.blocked_by is not None)
            assert (job.blocked_by is not BlockedBy.NEEDS) or self.model.flows.unmet(job.id), "it could go on"
            running.discard((job.id, job.attempt))
        assert not running

    @invariant()
    def no_more_than_there_are_slots(self) -> None:
        for slot, limit in SLOTS.items():
            assert len(self.model.gates.holders(slot)) <= limit

    # Reading

    @rule()
    def is_read_as_it_is(self) -> None:
        jobs, model = self.store.jobs, self.model
        for worker in (*WORKERS, ""):
            mine = [job for job in model.in_state(JobState.PROCESSING) if job.worker == worker]
            cancelled = {job.id for job in mine if job.cancel_requested_at is not None}
            assert set(jobs.cancel_requests(worker)) == cancelled
        for queues in ((), QUEUES[:1], QUEUES):
            assert jobs.busy(queues) == model.busy(queues)
        assert jobs.any_pending() == bool(model.in_state(JobState.PENDING))
        assert jobs.any_blocked() == any(
            job.blocked_by in {BlockedBy.SPEC, BlockedBy.GATE} for job in model.jobs.values()
        )
        for name in SPECS:
            of_spec = model.of_spec(name, set(JobState))
            unfinished = sorted(job.id for job in of_spec if job.state not in FINAL)
            assert [job.id for job in jobs.open_of_spec(name)] == unfinished
            assert [job.id for job in jobs.in_the_way_of(name)] == model.in_the_way_of(name)
            assert self.store.specs.with_open_jobs([name]) == ({name} if model.in_the_way_of(name) else set())
            newest = jobs.newest_of_spec(name)
            assert (newest and newest.id) == max((job.id for job in of_spec), default=None)
        due = {name for name, row in model.specs.items() if row.next_due_at and row.next_due_at <= self.now}
        assert {stored.name for stored in self.store.specs.due(now=self.now)} == due
        assert self.store.next_deadline() == model.next_deadline()
        assert self.store.next_deadline(tried=self.now) == model.next_deadline(tried=self.now)

    @rule(wanted=st.sampled_from(_FILTERS))
    def is_listed_as_it_is(self, wanted: JobFilter) -> None:
        """Newest first, whatever is filtered by."""
        found = [job.id for job in self.store.jobs.list(wanted, limit=3)]
        matching = [
            job.id
            for job in self.model.jobs.values()
            if (wanted.states is None or job.state in wanted.states)
            and wanted.spec in {None, job.spec}
            and wanted.queue in {None, job.queue}
            and (wanted.since is None or job.updated_at >= wanted.since)
        ]
        assert found == sorted(matching, reverse=True)[:3]

    def fires(self) -> dict[tuple[str, int], Fire]:
        """Return the ledger of fires."""
        return {(fire.spec, fire.due_at): fire for fire in self.store.fires.list(limit=MANY)}

    def _select(self, statement: str) -> list[tuple[Any, ...]]:
        """Look at columns that no verb gives back."""
        return list(self.store.database._connection.execute(statement))  # type: ignore[attr-defined]


@cache
def _new_queue() -> Path:
    """Make an empty queue once; each example has a copy."""
    folder = Path(tempfile.mkdtemp(prefix="queue-"))
    atexit.register(shutil.rmtree, folder)
    _opened(folder).close()
    return folder / "queue.db"


def _opened(folder: Path) -> Store:
    store = Store.open(folder / "queue.db")
    assert store is not None
    store.database._connection.execute("PRAGMA synchronous=OFF")  # type: ignore[attr-defined]  # outlives nothing
    return store
