"""Every verb of the store in any order, against a model in plain Python. Two connections take turns.

`make soak` lets it run for longer, from examples that are others each time.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    initialize,
    multiple,
    rule,
    run_state_machine_as_test,
)
from msgspec.structs import replace

from queuectl.model.fire import Fire
from queuectl.model.flow import JobNeed
from queuectl.model.job import AttemptEnd, Job, NewJob
from queuectl.model.spec import ExitCodes, JobSpec, Keep
from queuectl.model.states import FINAL, BlockedBy, FireOutcome, JobState, Outcome
from queuectl.rules.transitions import after_attempt
from queuectl.store.specs import Advance
from tests.store.state_compared import MANY, Compared
from tests.store.state_flows import Needed
from tests.store.state_gates import QueueRow
from tests.store.state_model import SpecRow, WorkerRow
from tests.store.state_values import (
    SPECS,
    WORKERS,
    dues,
    ends,
    frozen_specs,
    instants,
    keeps,
    limits,
    needs,
    new_jobs,
    queues,
    served,
    specs,
    suited,
    workers,
)

FOREVER = 2**62
SUITS = {
    JobState.BLOCKED: ("refreeze", "cancel"),
    JobState.SCHEDULED: ("refreeze", "hurry"),
    JobState.PENDING: ("cancel", "refreeze"),
    JobState.PROCESSING: ("cancel", "refreeze", "forget"),
    JobState.FAILED: ("hurry", "refreeze"),
    JobState.COMPLETED: ("retry", "cancel"),
    JobState.DEAD: ("retry", "cancel"),
    JobState.CANCELLED: ("retry", "refreeze"),
}
"""What is worth a try by hand; the rest is tried, too."""


PLAIN = JobSpec(
    command="plain", retries=1, exit_codes=ExitCodes(rules=(("dead", ((65, 65),)),), snooze_for_ms=200)
)
ENDS = {
    "completed": AttemptEnd(outcome=Outcome.SUCCEEDED, exit_code=0),
    "dead": AttemptEnd(outcome=Outcome.FAILED, exit_code=65),
    "cancelled": AttemptEnd(outcome=Outcome.CANCELLED),
}


class _UndoneError(Exception):
    """Ends a transaction that is to change nothing."""


class Queue(Compared):
    """All verbs; what jobs live on comes more than once, so that it is done more often."""

    jobs = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        self.held: list[Job] = []
        """Jobs as they were claimed, or read since; they may be another's by now."""

    # Jobs come in

    @initialize(target=jobs, news=st.lists(new_jobs, min_size=4, max_size=8))
    def begin(self, news: list[NewJob]) -> MultipleResults[int]:
        """An empty queue is soon gone through."""
        self.write_spec(SPECS[0], 1000)
        for worker in WORKERS[:2]:
            self.live(worker, "join", behind=False)
        made = self.enqueue(news)
        for outcomes in ([Outcome.LOST], [Outcome.LOST], [Outcome.FAILED, Outcome.CANCELLED]):
            self.claim(WORKERS[0], (), len(outcomes) + 1, idle=True)
            self.finish_one(0, AttemptEnd(outcome=Outcome.LOST))  # from the second time on too late
            for job, outcome in zip(self.model.in_state(JobState.PROCESSING), outcomes, strict=False):
                self.finish(job, AttemptEnd(outcome=outcome))
        self.make_flow(news[0])
        return made

    @rule(target=jobs, news=st.lists(new_jobs, min_size=1, max_size=3))
    def enqueue(self, news: list[NewJob]) -> MultipleResults[int]:
        ids: list[int | None]
        if len(news) == 1:
            made = self.store.jobs.enqueue(news[0], now=self.now)
            ids = [made.id if made else None]
        else:
            ids = self.store.jobs.enqueue_many(news, now=self.now)
        for new, job_id in zip(news, ids, strict=True):
            assert (job_id is not None) == self.model.is_new(new)
            if job_id is not None:
                self.model.made(new, job_id, self.now)
        return multiple(*(job_id for job_id in ids if job_id is not None))

    @rule(target=jobs, name=specs, due_at=dues, new=new_jobs)
    def fire(self, name: str, due_at: int, new: NewJob) -> MultipleResults[int]:
        """As a scheduler does, which may be late: an instant that another has fired makes no job."""
        new = replace(new, key=None, spec=name, fire_at=due_at)
        fire = Fire(spec=name, due_at=due_at, outcome=FireOutcome.FIRED)
        with self.store.transaction():
            entered = self.store.fires.record_all([fire])
            assert (not entered) == ((name, due_at) in self.model.fires)
            if not entered:
                return multiple()
            (job_id,) = self.store.specs.make_jobs([new], now=self.now).values()
            fire = replace(fire, job_id=job_id)
            self.store.fires.link(fire)
        assert not self.other.fires.record_all([fire]), "another scheduler does the same"
        self.model.fires[name, due_at] = fire
        self.model.made(new, job_id, self.now)
        return multiple(job_id)

    # Attempts

    @rule(worker=workers, queues=served, slots=st.integers(1, 3), idle=st.booleans())
    def claim(self, worker: str, queues: Sequence[str], slots: int, idle: bool) -> None:
        outputs = [f"{number}.log" for number in range(slots)]
        claimed = self.store.jobs.claim(
            worker=worker, host="here", queues=queues, outputs=outputs, idle=idle, now=self.now
        )
        assert [job.id for job in claimed] == self.model.claim(worker, queues, slots, idle=idle, now=self.now)
        assert not any(self.model.flows.unmet(job.id) for job in claimed), "it runs after all that it needs"
        assert all(job == self.model.jobs[job.id] for job in claimed)
        self.held += claimed

    claim_more = claim

    @rule(job=jobs)
    def read_again(self, job: int) -> None:
        found = self.store.jobs.get(job)
        self.held += [found] if found and found.state is JobState.PROCESSING else []

    @rule(number=st.integers(0, 19), end=ends)
    def finish_one(self, number: int, end: AttemptEnd) -> None:
        """By whoever holds it, or once held it."""
        if self.held:
            self.finish(self.held[number % len(self.held)], end)

    finish_another = finish_one

    def finish(self, job: Job, end: AttemptEnd) -> None:
        transition = after_attempt(job, end, now=self.now, random=0.5)
        done = self.store.jobs.finish(job, end, transition, now=self.now)
        assert done == self.model.finish(job, end, transition, self.now)

    @rule(
        worker=workers,
        some_ends=st.lists(ends, min_size=1, max_size=3),
        due=st.sampled_from(["promote", "expire"]),
        cancels=st.booleans(),
    )
    def work(self, worker: str, some_ends: list[AttemptEnd], due: str, cancels: bool) -> None:
        """As a worker does; somebody may cancel what it has just claimed."""
        self.pass_time(300)
        self.fall_due(due)
        self.fall_due("admit")
        self.claim(worker, (), len(some_ends), idle=True)
        running = self.model.in_state(JobState.PROCESSING)
        if cancels and running:
            self.cancel(running[0].id)
        for job, end in zip(running, some_ends, strict=False):
            self.finish(job, end)

    work_more = work_even_more = work

    @rule(what=st.sampled_from(["promote", "promote", "admit", "admit", "expire", "bring_back"]))
    def fall_due(self, what: str) -> None:
        jobs, model, now = self.store.jobs, self.model, self.now
        match what:
            case "promote":
                assert set(jobs.promote(now=now)) == model.promote(now)
            case "admit":
                assert set(self.store.gates.admit(now=now)) == model.gates.admit(now)
            case "expire":
                assert set(jobs.expire(now=now)) == model.expire(now)
            case "bring_back":
                assert jobs.bring_back(now=now) == model.bring_back(now)

    # By hand

    @rule(
        number=st.integers(0, 11),
        suits=st.booleans(),
        what=st.sampled_from(["cancel", "retry", "hurry", "refreeze", "forget"]),
        frozen=frozen_specs,
        run_at=st.none() | instants,
    )
    def change(self, number: int, suits: bool, what: str, frozen: JobSpec, run_at: int | None) -> None:
        jobs, model, now = self.store.jobs, self.model, self.now
        job = list(model.jobs)[number % len(model.jobs)] if model.jobs else number
        if suits and model.jobs:
            what = SUITS[model.jobs[job].state][number % len(SUITS[model.jobs[job].state])]
        frozen = suited(frozen, model.jobs[job].spec if model.jobs else None)
        told: Job | None = None
        match what:
            case "cancel":
                told = self.cancel(job)
            case "retry":
                told = jobs.retry(job, frozen, 2, now=now)
                assert (told is not None) == model.retry(job, frozen, 2, now)
            case "hurry":
                told = jobs.hurry(job, now=now)
                assert (told is not None) == model.hurry(job, now)
            case "refreeze":
                told = jobs.refreeze(job, frozen, 3, run_at=run_at, now=now)
                assert (told is not None) == model.refreeze(job, frozen, 3, run_at, now)
            case "forget":
                self._forget([job])
        assert told is None or told == model.jobs[job]

    change_another = change

    def cancel(self, job: int) -> Job | None:
        told = self.store.jobs.cancel(job, reason="no", now=self.now)
        assert (told is not None) == self.model.cancel(job, "no", self.now)
        return told

    @rule(queue=queues, what=st.sampled_from(["pause", "pause", "resume", "resume", "resume", "clear"]))
    def change_queue(self, queue: str, what: str) -> None:
        queues, row = self.store.queues, self.model.queues.get(queue, QueueRow())
        match what:
            case "pause":
                assert queues.pause(queue, who="me", now=self.now) == (not row.paused)
                self.model.queues[queue] = replace(row, paused=True)
            case "resume":
                assert queues.resume(queue) == row.paused
                self.model.queues |= {queue: replace(row, paused=False)} if row.paused else {}
            case "clear":
                waiting = queues.waiting(queue)
                assert waiting == self.model.waiting_in(queue)
                with self.store.transaction():
                    for job_id in waiting:
                        self.store.jobs.cancel(job_id, reason="cleared", now=self.now)
                        self.model.cancel(job_id, "cleared", self.now)

    @rule(queue=queues, limit=limits)
    def limit_queue(self, queue: str, limit: tuple[int | None, int | None]) -> None:
        running, interval_us = limit
        self.store.gates.limit_queue(queue, running=running, interval_us=interval_us)
        row = self.model.queues.get(queue, QueueRow())
        self.model.queues[queue] = QueueRow(paused=row.paused, running=running, interval_us=interval_us)

    # Flows

    @rule(target=jobs, new=new_jobs, wanted=needs, content=st.none() | st.sampled_from(["in", ""]))
    def enqueue_needing(
        self, new: NewJob, wanted: Sequence[tuple[int, str]], content: str | None
    ) -> MultipleResults[int]:
        """Others that are there, or that will be."""
        store, model, now = self.store, self.model, self.now
        latest = list(model.jobs)[-1:-8:-1]
        on = [
            (latest[at], None, ends) if at < len(latest) else (None, SPECS[at % 2], ends)
            for at, ends in wanted
        ]
        there = [job for job, _, _ in on if job is not None]
        flows = [found for job in there if (found := model.jobs[job].flow) is not None]
        flow = next(iter([*flows, *there]), None)
        new = replace(
            new, key=None, state=JobState.BLOCKED, blocked_by=BlockedBy.NEEDS, flow=flow, reason="waits"
        )
        new = replace(new, expires_at=None, run_at=max(now, new.run_at))
        with store.transaction():
            if flow is not None:
                store.flows.add(there, flow)
            made = store.jobs.enqueue(new, now=now)
            assert made
            store.flows.add([made.id], made.id)
            if content is not None:
                store.jobs.give_input(made.id, content)
            store.jobs.need(
                [JobNeed(job_id=made.id, needs_id=job, spec=spec, ends=ends) for job, spec, ends in on],
                now=now,
            )
        model.made(new, made.id, now)
        model.join_flow([*there, made.id], made.id if flow is None else flow)
        model.inputs |= {} if content is None else {made.id: content}
        model.flows.need([Needed(job=made.id, on=job, spec=spec, ends=ends) for job, spec, ends in on], now)
        assert store.jobs.input(made.id) == content
        return multiple(made.id)

    def make_flow(self, new: NewJob) -> None:
        """One that two need, which one needs; a clean-up, an alarm, and what needs that."""
        self.enqueue(
            [replace(new, key=None, state=JobState.PENDING, blocked_by=None, frozen=PLAIN, run_at=self.now)]
        )
        needs: list[list[tuple[int, str]]] = [
            [(0, "completed")],
            [(1, "completed")],
            [(0, "completed"), (1, "completed")],
            [(0, "finished")],
            [(1, "dead")],
            [(0, "completed")],
        ]
        for wanted in needs:
            self.enqueue_needing(new, wanted, None)

    @rule(
        worker=workers,
        how=st.lists(
            st.sampled_from(["completed", "completed", "dead", "cancelled"]), min_size=1, max_size=4
        ),
        retries=st.booleans(),
    )
    def end_what_is_needed(self, worker: str, how: list[str], retries: bool) -> None:
        """One after the other, and maybe retry one that ended otherwise."""
        model = self.model
        for end in how:
            self.pass_time(100)
            self.fall_due("promote")
            self.fall_due("admit")
            self.claim(worker, (), 3, idle=True)
            needed = [need.on for need in model.flows.needs if not need.met]
            running = [job for job in model.in_state(JobState.PROCESSING) if job.id in needed]
            for job in running[:1]:
                if end == "cancelled":
                    self.cancel(job.id)
                self.finish(model.jobs[job.id], ENDS[end])
            for job in model.in_state(JobState.DEAD, JobState.CANCELLED) if retries else ():
                if job.id in needed:
                    self.change(list(model.jobs).index(job.id), False, "retry", job.frozen, None)
                    break

    end_more_that_is_needed = end_what_is_needed

    @rule(target=jobs, name=specs, new=new_jobs)
    def begin_or_join_flow(self, name: str, new: NewJob) -> MultipleResults[int]:
        """As a trigger does: the new job is what a flow waits for, or begins its own."""
        new = replace(new, key=None, spec=name)
        with self.store.transaction():
            (job_id,) = self.store.specs.make_jobs([new], now=self.now).values()
            flow = self.store.flows.enter(name, job_id)
        self.model.made(new, job_id, self.now)
        assert flow == self.model.flows.enter(name, job_id)
        return multiple(job_id)

    @rule(job=jobs)
    def cancel_flow(self, job: int) -> None:
        flow = self.model.jobs[job].flow if job in self.model.jobs else None
        if flow is not None:
            with self.store.transaction():
                found = self.store.flows.open_jobs(flow)
                assert found == self.model.flows.open_jobs(flow)
                for one in found:
                    self.cancel(one)

    @rule(job=jobs)
    def is_needed_as_it_is(self, job: int) -> None:
        flow = self.model.jobs[job].flow if job in self.model.jobs else None
        if flow is not None:
            jobs = [one.id for one in self.model.jobs.values() if one.flow == flow]
            needs = [need.on for need in self.model.flows.needs if need.job in jobs]
            assert [one.id for one in self.store.jobs.of_flow(flow)] == jobs
            assert [need.needs_id for need in self.store.flows.needs(flow)] == needs
            unmet = [need.needs_id for need in self.store.flows.needs_of(job) if not need.met]
            assert unmet == [need.on for need in self.model.flows.unmet(job)]

    @rule(job=jobs, new=new_jobs, worker=workers)
    def change_your_mind(self, job: int, new: NewJob, worker: str) -> None:
        """Do much in a transaction, and nothing in the end."""
        with suppress(_UndoneError), self.store.transaction():
            self.store.jobs.enqueue(new, now=self.now)
            self.store.jobs.claim(worker=worker, host="", queues=(), outputs=["x"], idle=True, now=self.now)
            self.store.jobs.cancel(job, reason="undone", now=self.now)
            self.store.jobs.leave_behind([job], now=self.now)
            self.store.history.forget([job])
            raise _UndoneError

    # Workers

    @rule(
        worker=workers, what=st.sampled_from(["join", "beat", "leave", "declare_dead"]), behind=st.booleans()
    )
    def live(self, worker: str, what: str, behind: bool) -> None:
        workers, known = self.store.workers, self.model.workers
        row = known.get(worker)
        match what:
            case "join" if row is None:
                workers.register(
                    worker=worker, host="here", pid=1, pid_mark="m", slots=2, queues=(), now=self.now
                )
                known[worker] = WorkerRow()
            case "beat":
                orders = workers.beat(worker, now=self.now)
                assert (orders and (orders.paused, orders.stop)) == (row and (row.paused, row.stop))
                known |= {worker: replace(row, beat=row.beat + 1)} if row else {}
            case "leave":
                workers.leave(worker)
                known.pop(worker, None)
            case "declare_dead":  # only if it has not beaten since it was seen
                seen = (row.beat if row else 0) - behind
                assert workers.declare_dead(worker, beat=seen) == (row is not None and not behind)
                if not behind:
                    known.pop(worker, None)

    @rule()
    def rescue(self) -> None:
        """The jobs of those that are registered no more are lost."""
        gone = self.store.workers.abandoned()
        assert set(gone) == self.model.abandoned()
        for worker in gone:
            running = [attempt.job_id for attempt in self.store.attempts.running_of_worker(worker)]
            assert running == self.model.running_of(worker)
            for job_id in running:
                self.finish(self.model.jobs[job_id], AttemptEnd(outcome=Outcome.LOST))

    @rule(worker=st.none() | workers, order=st.sampled_from(["pause", "resume", "graceful", "now"]))
    def order(self, worker: str | None, order: Any) -> None:
        workers, known = self.store.workers, self.model.workers
        told = {name: row for name, row in known.items() if worker in {None, name}}
        if order in {"pause", "resume"}:
            changed = workers.pause(worker, now=self.now) if order == "pause" else workers.resume(worker)
            told = {name: row for name, row in told.items() if row.paused is (order == "resume")}
            known |= {name: replace(row, paused=order == "pause") for name, row in told.items()}
        else:
            changed = workers.stop(worker, mode=order)
            known |= {
                name: replace(row, stop="now" if row.stop == "now" else order) for name, row in told.items()
            }
        assert set(changed) == set(told)

    # Specs and their schedules

    @rule(name=specs, due_at=st.none() | instants)
    def write_spec(self, name: str, due_at: int | None) -> None:
        apply_id = self.store.specs.record_apply(
            at=self.now, who="me", source="s", git_commit=None, git_dirty=None
        )
        spec = JobSpec(name=name, command="true")
        version = self.store.specs.write(
            spec,
            source="s",
            file="f",
            apply_id=apply_id,
            next_due_at=due_at,
            next_fire_at=due_at,
            now=self.now,
        )
        before = self.model.specs.get(name, SpecRow(version=0, next_due_at=None))
        assert version == before.version + 1
        self.model.specs[name] = replace(
            before, version=version, next_due_at=due_at, pruned=False, orphaned=False
        )

    @rule(name=specs, expected=instants, matches=st.booleans(), due_at=st.none() | instants)
    def advance(self, name: str, expected: int, matches: bool, due_at: int | None) -> None:
        """Only from where the schedule stands."""
        row = self.model.specs.get(name)
        stands = row and row.next_due_at
        expected = stands if matches and stands else expected
        move = Advance(
            name=name, expected_due_at=expected, next_due_at=due_at, next_fire_at=due_at, fired_at=expected
        )
        moved = self.store.specs.advance_all([move])
        assert set(moved) == ({name} if row and stands == expected else set())
        if row and moved:
            self.model.specs[name] = replace(row, next_due_at=due_at, last_fire_at=expected)

    @rule(
        name=specs,
        what=st.sampled_from(["prune", "pause", "resume", "orphan", "mark_done", "forget_done"]),
        job=jobs,
    )
    def change_spec(self, name: str, what: str, job: int) -> None:
        specs = self.store.specs
        row = self.model.specs.get(name, SpecRow(version=0, next_due_at=None, pruned=True))
        match what:
            case "prune":
                assert specs.prune(name, now=self.now) == (not row.pruned)
                row = row if row.pruned else replace(row, pruned=True, next_due_at=None, orphaned=False)
            case "pause":
                assert specs.pause(name, who="me", now=self.now) == (not row.pruned and not row.paused)
                row = replace(row, paused=row.paused or not row.pruned)
            case "resume":
                assert specs.resume(name) == row.paused
                row = replace(row, paused=False)
            case "orphan":
                specs.orphan(name)
                row = replace(row, orphaned=True)
            case "mark_done":
                specs.mark_done(name, digest="d", job_id=job)
                row = replace(row, done=("d", job))
            case "forget_done":
                specs.forget_done(name)
                row = replace(row, done=(None, row.done[1]))
        if row.version:
            self.model.specs[name] = row

    # The ledger of fires

    @rule(name=specs, due_at=dues, outcome=st.sampled_from(FireOutcome))
    def record_fire(self, name: str, due_at: int, outcome: FireOutcome) -> None:
        fire = Fire(spec=name, due_at=due_at, outcome=outcome)
        assert self.store.fires.record(fire) == ((name, due_at) not in self.model.fires)
        self.model.fires.setdefault((name, due_at), fire)

    @rule(name=specs, due_at=instants, count=st.integers(1, 3))
    def extend_fires(self, name: str, due_at: int, count: int) -> None:
        until = due_at + 100 * (count - 1) if count > 1 else None
        fire = Fire(spec=name, due_at=due_at, until=until, count=count, outcome=FireOutcome.PAUSED)
        self.store.fires.extend(fire)
        of_spec = (one for one in self.model.fires.values() if one.spec == name)
        latest = max(of_spec, default=None, key=_due_at)
        if latest and latest.outcome is FireOutcome.PAUSED and latest.due_at < due_at:
            grown = replace(latest, until=until or due_at, count=latest.count + count, reason=None)
            self.model.fires[name, latest.due_at] = grown
        else:
            self.model.fires.setdefault((name, due_at), fire)

    # History

    @rule(
        what=st.sampled_from(["finished", "beyond", "overdue", "of_spec"]),
        state=st.sampled_from(sorted(FINAL)),
        queue=st.none() | queues,
        keep=keeps,
        name=specs,
    )
    def forget_history(self, what: str, state: JobState, queue: str | None, keep: Keep, name: str) -> None:
        history, model, before = self.store.history, self.model, self.now - (keep.for_ms or 0)
        ids: Sequence[int] = ()
        match what:
            case "finished":
                ids = history.finished([state], before=before, queue=queue)
                assert set(ids) == model.finished([state], before, queue)
            case "beyond":
                ids = history.beyond(state, keep, now=self.now, limit=MANY)
                assert all(model.jobs[job_id].state is state for job_id in ids)
                ends = sorted(model.jobs[job_id].updated_at for job_id in ids)
                assert ends == model.beyond(state, keep, self.now)
            case "overdue":
                ids = history.overdue(now=self.now, limit=MANY)
                assert set(ids) == model.overdue(self.now)
            case "of_spec" if keep.count is not None:
                ids = history.beyond_count_of_spec(name, state, count=keep.count, limit=MANY)
                newest = sorted((job.id for job in model.of_spec(name, [state])), reverse=True)
                assert list(ids) == newest[keep.count :]
        self._forget(ids)

    @rule(keep=keeps)
    def forget_fires(self, keep: Keep) -> None:
        gone = self.store.history.forget_fires(keep, now=self.now, limit=MANY)
        fires = self.model.fires
        if keep.count is None:
            before = self.now - (keep.for_ms or 0)
            left = {key: fire for key, fire in fires.items() if max(fire.due_at, fire.until or 0) >= before}
            assert gone == len(fires) - len(left)
        else:  # which of several of the same instant go is not said
            assert gone == max(0, len(fires) - keep.count)
            left = {key: fires[key] for key in self.fires()}
            latest_gone = max((fires[key].due_at for key in fires.keys() - left.keys()), default=-FOREVER)
            assert min(map(_due_at, left.values()), default=FOREVER) >= latest_gone
        self.model.fires = left

    def _forget(self, ids: Sequence[int]) -> None:
        self.store.jobs.leave_behind(ids, now=self.now)
        gone, _ = self.store.history.forget(ids)
        self.model.flows.left_behind(ids, self.now)
        assert gone == self.model.forget(ids)


class QuickQueue(Queue):
    """The same, for few examples."""

    every_verb = True


def _due_at(fire: Fire) -> int:
    return fire.due_at


def explore(examples: int, steps: int, *, quick: bool) -> None:
    """Try so many sequences of so many verbs; what goes wrong is shown as the shortest that does.

    `quick`: the same ones each time.
    """
    run_state_machine_as_test(
        QuickQueue if quick else Queue,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            derandomize=quick,
            deadline=None,
            database=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_store_does_what_its_model_does() -> None:
    explore(25, 50, quick=True)
