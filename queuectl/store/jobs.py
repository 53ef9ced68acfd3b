"""Jobs: how they come in, are claimed, end, and are taken back."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any

import msgspec

from queuectl.model.errors import StoreInvalidError
from queuectl.model.flow import JobNeed
from queuectl.model.job import AttemptEnd, Job, NewJob, Said
from queuectl.model.spec import JobSpec, Keep
from queuectl.model.states import JobState
from queuectl.model.transition import Transition
from queuectl.rules.gate import gate_of
from queuectl.rules.rates import after_start, allowed
from queuectl.store.counters import Counters
from queuectl.store.database import Database, Row
from queuectl.store.flows import Flows
from queuectl.store.listing import ANY_JOB, LAST_CHARACTER, JobFilter, matching, newest
from queuectl.store.minutes import Minutes
from queuectl.store.orders import last_changed, oldest
from queuectl.store.rows import damaged, readable

QUARANTINED_FROM = 2
"""A job whose worker died under it this often runs alone."""

_NO_GATE: Row = {"gated": 0, "slot": None, "slot_limit": None, "on_conflict": None, "interval_us": None}
_LONGEST_ID = 12
"""Digits of an id that it is looked for by its first ones."""
STATEMENT_JOBS = 500
"""How many jobs one statement puts in at most."""
_NO_LIMIT = 1 << 31

_encode = msgspec.json.Encoder(order="deterministic").encode
_decode = partial(
    msgspec.json.decode, type=JobSpec
)  # a Decoder takes a millisecond to make, also where none is read
_decode_said = partial(msgspec.json.decode, type=Said)


class Jobs:
    """The jobs of the queue."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._flows = Flows(database)
        self._minutes = Minutes(database)
        self._counters = Counters(database)

    def enqueue(self, new: NewJob, *, now: int) -> Job | None:
        """Nothing → `new.state`. None when a job with the same key exists already."""
        frozen = _encode(new.frozen).decode()
        rows = self._db.run("enqueue", key=new.key, frozen=frozen, now=now, **_shared(new))
        if not rows:
            return None
        self._db.announce()
        return as_made(new, rows[0]["id"], now)

    def enqueue_many(self, news: Sequence[NewJob], *, now: int) -> list[int | None]:
        """Nothing → each one's `state`, all or nothing, with ids in their order.

        Returns the ids; None for each whose key exists already, also from further up in `news`.
        """
        ids: list[int | None] = []
        with self._db.transaction():
            for shared, group in groupby(news, _shared):
                alike = list(group)
                for start in range(0, len(alike), STATEMENT_JOBS):
                    some = alike[start : start + STATEMENT_JOBS]
                    jobs = _text([(new.key, _encode(new.frozen).decode()) for new in some])
                    ids += _in_order(some, self._db.run("enqueue_many", jobs=jobs, now=now, **shared))
            if any(ids):
                self._db.announce()
        return ids

    def give_input(self, job_id: int, content: str) -> None:
        """Let the command of a new job read this from stdin."""
        self._db.run("give_input", id=job_id, content=content)

    def input(self, job_id: int) -> str | None:
        """Return what the command of a job reads from stdin; None: nothing."""
        rows = self._db.run("input", id=job_id)
        return rows[0]["content"] if rows else None

    def get(self, job_id: int) -> Job | None:
        """Return the job with this id."""
        return _first(self._db.run("job", id=job_id)) if -(2**63) <= job_id < 2**63 else None

    def by_key(self, key: str) -> Job | None:
        """Return the job with this key."""
        return _first(self._db.run("job_by_key", key=key))

    def newest_of_spec(self, spec: str) -> Job | None:
        """Return the latest job that this spec made."""
        return _first(self._db.run("newest_job_of_spec", spec=spec))

    def keys(self, limit: int = 1000) -> list[str]:
        """Return the latest keys, for suggestions."""
        return [row["key"] for row in self._db.run("job_keys", limit=limit)]

    def list(self, wanted: JobFilter = ANY_JOB, *, limit: int = 100) -> list[Job]:
        """Return jobs, newest first."""
        return readable(self._db, newest(self._db, wanted, limit=limit), _job)

    def oldest(
        self,
        *,
        states: Collection[JobState] | None = None,
        spec: str | None = None,
        queue: str | None = None,
        after_id: int | None = None,
        limit: int = 100,
    ) -> Sequence[Job]:
        """Return jobs, oldest first; of a spec or of a queue, not of both."""
        rows = oldest(self._db, states=states, spec=spec, queue=queue, after_id=after_id, limit=limit)
        return readable(self._db, rows, _job)

    def last_changed(
        self,
        *,
        states: Collection[JobState] | None = None,
        since: int | None = None,
        before: tuple[int, int] | None = None,
        limit: int = 100,
    ) -> Sequence[Job]:
        """Return jobs, those that changed last first; `before` is the instant and id of the last one seen."""
        rows = last_changed(self._db, states=states, since=since, before=before, limit=limit)
        return readable(self._db, rows, _job)

    def matching(
        self, wanted: JobFilter, text: str | None, *, limit: int, most: int
    ) -> tuple[Sequence[Job], int | None]:
        """Return jobs with a text in their command, key, spec or reason, newest first, and the id to go on before.

        That is None at the end. At most so many jobs are looked through.
        """
        rows, go_on = matching(self._db, wanted, text, limit=limit, most=most)
        return readable(self._db, rows, _job), go_on

    def with_id_like(self, digits: str, *, limit: int) -> Sequence[Job]:
        """Return jobs whose id begins so: this one first, then the newest."""
        rows: list[Row] = []
        for zeros in range(_LONGEST_ID + 1 - len(digits)):
            low = int(digits) * 10**zeros
            high = low + 10**zeros - 1
            rows += self._db.run("jobs_with_ids_between", low=low, high=high, limit=limit - len(rows))
        return readable(self._db, rows, _job)

    def with_key_like(self, start: str, *, limit: int) -> Sequence[Job]:
        """Return jobs whose key begins so, by key."""
        rows = self._db.run("jobs_with_keys_between", low=start, high=start + LAST_CHARACTER, limit=limit)
        return readable(self._db, rows, _job)

    def open_of_spec(self, spec: str) -> Sequence[Job]:
        """Return the jobs of a spec that aren't final, oldest first."""
        return readable(self._db, self._db.run("open_jobs_of_spec", spec=spec), _job)

    def of_flow(self, flow: int) -> Sequence[Job]:
        """Return the jobs of a flow, oldest first."""
        return readable(self._db, self._db.run("jobs_of_flow", flow=flow), _job)

    def in_the_way_of(self, spec: str) -> Sequence[Job]:
        """Return the open jobs of a spec, and of the flow that its latest job is in where anything happens there.

        Oldest first, but what waits for its needs before all others.
        """
        return readable(self._db, self._db.run("jobs_in_the_way", spec=spec), _job)

    def counts(self) -> dict[JobState, int]:
        """Return how many jobs each state has; all states are there."""
        found = {row["state"]: row["jobs"] for row in self._db.run("count_jobs_by_state")}
        return {state: found.get(state, 0) for state in JobState}

    def oldest_pending(self) -> int | None:
        """Return since when the pending job that waits longest could have run; seen among a thousand of them."""
        oldest: int | None = self._db.run("oldest_pending")[0]["run_at"]
        return oldest

    def average_duration_ms(self, sample: int = 1000) -> float | None:
        """Return the mean duration of the attempts that completed the latest jobs."""
        mean: float | None = self._db.run("average_duration", limit=sample)[0]["ms"]
        return mean

    def claim(
        self,
        *,
        worker: str,
        host: str,
        queues: Sequence[str],
        outputs: Sequence[str],
        idle: bool,
        now: int,
        may_overtake: Callable[[int], bool] = lambda _: True,
    ) -> Sequence[Job]:
        """Pending → processing, by priority then age; each with a new attempt. `queues` empty: all.

        `outputs` are names of files that nothing writes to: as many jobs are claimed at most, and their attempts
        write to them in that order. A job that two workers died under is claimed by an idle worker only, and alone;
        where the worker is busy and it is that job's turn, `may_overtake` (job id) tells whether others are claimed
        before it. One whose row is damaged goes to the DLQ.
        """
        with self._db.transaction():
            found = self._next_in_turn(queues, len(outputs), idle, may_overtake, now)
            self._note_starts(found, now)
            jobs = [job for one in found if (job := self._claim(one["id"], worker, now))]
            for job, output in zip(jobs, outputs, strict=False):
                if job.frozen.rate_us is not None:
                    self._db.run("note_start_of_spec", spec=job.spec, now_us=now * 1000)
                self._db.run(
                    "start_attempt",
                    job_id=job.id,
                    number=job.attempt,
                    worker=worker,
                    host=host,
                    output_file=output,
                    now=now,
                )
            return jobs

    def finish(self, job: Job, end: AttemptEnd, transition: Transition, *, now: int) -> bool:
        """Processing → `transition.state`.

        False when another attempt holds the job, so that a late finisher loses, or when its cancellation was asked for
        (or taken back) since `job` was read.
        """
        keep = _own_keep(job, transition.state)
        with self._db.transaction():
            held = self._db.run(
                "finish",
                id=job.id,
                worker=job.worker,
                attempt=job.attempt,
                cancel_requested_at=job.cancel_requested_at,
                state=transition.state,
                run_at=transition.run_at,
                failures=transition.failures,
                losses=transition.losses,
                reason=transition.reason,
                exit_code=end.exit_code,
                said=None if end.said is None else _encode(end.said).decode(),
                own_keep=int(keep is not None),
                purge_at=_purge_at(keep, now),
                finished_at=now if transition.finished else None,
                now=now,
            )
            if held:
                if transition.finished:
                    self._settle(held, transition.state, now)
                if transition.state is JobState.PENDING:
                    self._db.announce()
                ended = self._db.run(
                    "end_attempt",
                    job_id=job.id,
                    number=job.attempt,
                    pid=end.pid,
                    outcome=end.outcome,
                    exit_code=end.exit_code,
                    signal=end.signal,
                    error=end.error,
                    output=end.output,
                    output_bytes=end.output_bytes,
                    output_file=end.output_file,
                    truncated=int(end.truncated),
                    cpu_ms=end.cpu_ms,
                    max_rss_kib=end.max_rss_kib,
                    now=now,
                )
                for attempt in ended:
                    self._minutes.note(end.outcome, attempt["duration_ms"], now=now)
                    self._counters.note(job, end.outcome, took_ms=attempt["duration_ms"], now=now)
        return bool(held)

    def bury(self, job_id: int, *, reason: str, now: int) -> None:
        """Processing → dead, without looking at the rest of its row: that can't be read."""
        with self._db.transaction():
            self._settle(self._db.run("bury", id=job_id, reason=reason, now=now), JobState.DEAD, now)

    def bury_all_of(self, worker: str, *, now: int) -> Sequence[int]:
        """Processing → dead: what a dead worker held and could not be returned, because it can't be read."""
        reason = "damaged in the database: its worker died, and it can't be returned"
        with self._db.transaction():
            buried = self._db.run("bury_all_of_worker", worker=worker, reason=reason, now=now)
            self._settle(buried, JobState.DEAD, now)
        return [row["id"] for row in buried]

    def promote(self, *, now: int, limit: int = 1000) -> Sequence[int]:
        """Scheduled or failed → pending, where due; blocked → pending, where the way is free. Returns the ids."""
        with self._db.transaction():
            moved = [*self._db.run("promote", now=now, limit=limit), *self._db.run("unblock", now=now)]
        return [row["id"] for row in moved]

    def bring_back(self, *, now: int) -> int:
        """Blocked, scheduled and failed stay, but wait from now on where they began in what is the future by now.

        A due time that was asked for as such stays as it is. Returns how many.
        """
        return len(self._db.run("bring_back", now=now))

    def expire(self, *, now: int, limit: int = 1000) -> Sequence[int]:
        """Blocked or pending → cancelled: too late to start. Its fire is recorded as expired. Returns the ids."""
        reason = "expired: could not start within its spec's start_within"
        with self._db.transaction():
            expired = [
                (row["id"], row["flow"])
                for row in self._db.run("expire", now=now, reason=reason, limit=limit)
            ]
            for job_id, flow in expired:
                self._settle_one(job_id, flow, JobState.CANCELLED, now)
                for job in readable(self._db, self._db.run("job", id=job_id), _job):
                    self._keep_as_own_spec_says(job, now)
                self._db.run("expire_fire", job_id=job_id, reason=reason)
        return [job_id for job_id, _ in expired]

    def cancel(self, job_id: int, *, reason: str, now: int) -> Job | None:
        """Waiting → cancelled; processing → still processing, and its worker is asked to stop it.

        None when the job is final already, or isn't there.
        """
        with self._db.transaction():
            cancelled = self._told(self._db.run("cancel_waiting", id=job_id, reason=reason, now=now))
            if cancelled is None:
                return self._told(self._db.run("request_cancel", id=job_id, reason=reason, now=now))
            self._settle_one(cancelled.id, cancelled.flow, JobState.CANCELLED, now)
            self._keep_as_own_spec_says(cancelled, now)
            return cancelled

    def call_off(self, job_id: int, *, reason: str, now: int) -> None:
        """Cancel a job as `cancel` does, also one whose row can't be read: a gate must not stop at it."""
        with self._db.transaction():
            rows = self._db.run("cancel_waiting", id=job_id, reason=reason, now=now)
            for row in rows:
                self._settle_one(row["id"], row["flow"], JobState.CANCELLED, now)
            for job in readable(self._db, rows, _job):
                self._keep_as_own_spec_says(job, now)
            if not rows and self._db.run("request_cancel", id=job_id, reason=reason, now=now):
                self._db.announce()

    def need(self, needs: Collection[JobNeed], *, now: int) -> None:
        """Let new blocked jobs need others. One of these that has ended already has its effect at once."""
        with self._db.transaction():
            self._flows.add_needs(needs)
            open_needs = {need.needs_id for need in needs if need.needs_id is not None and not need.met}
            for job_id, flow, state in self._flows.ended(open_needs):
                self._settle_one(job_id, flow, state, now)

    def leave_behind(self, ids: Collection[int], *, now: int) -> None:
        """Blocked → cancelled: what still waits for jobs that are about to be deleted, and what needs that."""
        with self._db.transaction():
            left = self._flows.left_behind(ids)
            self._give_up([(one, f"needs job {needed}, which was deleted") for one, needed in left], now)

    def cancel_requests(self, worker: str) -> Sequence[int]:
        """Return the ids of the worker's processing jobs that somebody cancelled."""
        return [row["id"] for row in self._db.run("cancel_requests", worker=worker)]

    def retry(self, job_id: int, frozen: JobSpec, spec_version: int | None, *, now: int) -> Job | None:
        """Dead or cancelled → pending with failures at 0, to run `frozen`. None when it is neither.

        Blocked, where it needs others that haven't ended as it needs them.
        """
        with self._db.transaction():
            rows = self._db.run("retry", id=job_id, spec_version=spec_version, now=now, **_frozen(frozen))
            if rows and rows[0]["flow"] is not None:
                self._flows.resume(job_id, now=now)
                again = self._flows.block_again(job_id, now=now)
                rows = [again] if again else rows
            return self._told(rows)

    def hurry(self, job_id: int, *, now: int) -> Job | None:
        """Failed → pending at once, instead of after its backoff. None when it isn't failed."""
        return self._told(self._db.run("hurry", id=job_id, now=now))

    def refreeze(
        self, job_id: int, frozen: JobSpec, spec_version: int | None, *, run_at: int | None, now: int
    ) -> Job | None:
        """Give a waiting job a new frozen spec, and a due time where `run_at` is given. None when it doesn't wait."""
        with self._db.transaction():
            return self._told(
                self._db.run(
                    "refreeze",
                    id=job_id,
                    spec_version=spec_version,
                    run_at=run_at,
                    now=now,
                    **_frozen(frozen),
                )
            )

    def any_pending(self) -> bool:
        """Tell whether any job is pending."""
        return bool(self._db.run("any_pending")[0]["any_pending"])

    def any_blocked(self) -> bool:
        """Tell whether any job is blocked."""
        return bool(self._db.run("any_blocked")[0]["any_blocked"])

    def busy(self, queues: Sequence[str]) -> bool:
        """Tell whether anything is pending, processing or waiting for a retry. `queues` empty: all."""
        return bool(self._db.run("busy", queues=_array(queues or None))[0]["busy"])

    def _settle(self, ended: Sequence[Row], state: JobState, now: int) -> None:
        for row in ended:
            self._settle_one(row["id"], row["flow"], state, now)

    def _settle_one(self, job_id: int, flow: int | None, state: JobState, now: int) -> None:
        """Let the end of a job have its effect on its flow; what can't run any more because of it is cancelled."""
        if flow is None:
            return
        reason = f"not needed: job {job_id} has completed"
        self._give_up([(one, reason) for one in self._flows.settle(job_id, state, now=now)], now)

    def _give_up(self, pairs: Sequence[tuple[int, str]], now: int) -> None:
        """Blocked → cancelled: pairs of a job that can't run any more, and why."""
        never = [*pairs]
        for one, reason in never:  # it grows: those that need one which never runs never run either
            for job in readable(
                self._db, self._db.run("cancel_waiting", id=one, reason=reason, now=now), _job
            ):
                self._keep_as_own_spec_says(job, now)
                self._flows.settle(one, JobState.CANCELLED, now=now)
                never += [
                    (user, f"not needed: job {one} has not run") for user in self._flows.users_left(one)
                ]

    def _told(self, rows: Sequence[Row]) -> Job | None:
        """Announce a job that is new to the workers, or changed for them."""
        if rows:
            self._db.announce()
        return _first(rows)

    def _keep_as_own_spec_says(self, job: Job, now: int) -> None:
        keep = _own_keep(job, job.state)
        if keep is not None:
            self._db.run("keep_as_own_spec_says", id=job.id, purge_at=_purge_at(keep, now))

    def _next_in_turn(
        self,
        queues: Sequence[str],
        limit: int,
        idle: bool,
        may_overtake: Callable[[int], bool],
        now: int,
    ) -> Sequence[Row]:
        found = self._claimable(queues, limit, quarantined=True, now=now)
        if all(row["losses"] < QUARANTINED_FROM for row in found):
            return found
        if found[0]["losses"] >= QUARANTINED_FROM:
            if idle:
                return found[:1]
            if not may_overtake(found[0]["id"]):
                return []
        return self._claimable(queues, limit, quarantined=False, now=now)

    def _claimable(self, queues: Sequence[str], limit: int, *, quarantined: bool, now: int) -> Sequence[Row]:
        rows = [
            {**row, "queue": queue}
            for queue in self._db.run("claimable_queues", queues=_array(queues or None))
            if (room := min(limit, _room(queue, now))) > 0
            for row in self._db.run(
                "claimable_jobs",
                queue=queue["name"],
                limit=room,
                quarantined=int(quarantined),
                quarantined_from=QUARANTINED_FROM,
            )
        ]
        return sorted(rows, key=lambda row: (-row["priority"], row["id"]))[:limit]

    def _note_starts(self, found: Sequence[Row], now: int) -> None:
        """Move on the rates of the queues that jobs were claimed from."""
        for one in found:
            queue = one["queue"]
            if queue["interval_us"] is not None:
                queue["next_us"] = after_start(queue["next_us"], now, queue["interval_us"])
                self._db.run("set_rate_of_queue", name=queue["name"], next_us=queue["next_us"])

    def _claim(self, job_id: int, worker: str, now: int) -> Job | None:
        """None for a job whose row is damaged: it goes to the DLQ."""
        try:
            rows = self._db.run("claim", id=job_id, worker=worker, now=now)
            if rows:
                return _job(rows[0])
            self._db.run("reindex_jobs")  # else what only an index holds for pending is found again and again
            error = damaged(f"job {job_id}", ValueError("it is not in the state that an index says"))
        except StoreInvalidError as found:
            error = found if str(found).startswith(f"job {job_id} ") else damaged(f"job {job_id}", found)
            self.bury(job_id, reason=str(error), now=now)
        self._db.on_damage(str(error))
        return None


def as_made(new: NewJob, job_id: int, now: int) -> Job:
    """Return the job that `new` became at `now`."""
    return Job(
        id=job_id,
        key=new.key,
        spec=new.spec,
        spec_version=new.spec_version,
        frozen=new.frozen,
        state=new.state,
        run_at=new.run_at,
        expires_at=new.expires_at,
        fire_at=new.fire_at,
        attempt=0,
        failures=0,
        losses=0,
        reason=new.reason,
        exit_code=None,
        worker=None,
        cancel_requested_at=None,
        created_at=now,
        updated_at=now,
        finished_at=None,
        flow=new.flow,
        blocked_by=new.blocked_by,
    )


def is_quarantined(job: Job) -> bool:
    """Tell whether workers died under this job so often that it runs alone."""
    return job.losses >= QUARANTINED_FROM


def _room(queue: Row, now: int) -> int:
    """How many jobs of a queue may start, as far as its own limits go."""
    running, rate = queue["running_limit"], queue["interval_us"]
    return min(
        _NO_LIMIT if running is None else running - queue["running"],
        _NO_LIMIT if rate is None else allowed(queue["next_us"], now, rate),
    )


def _frozen(spec: JobSpec) -> Row:
    return {
        "frozen": _encode(spec).decode(),
        "queue": spec.queue,
        "priority": spec.priority,
        **gate_columns(spec),
    }


def gate_columns(spec: JobSpec) -> Row:
    """Return the columns of a job that say which gate it has."""
    gate = gate_of(spec)
    if gate is None:
        return _NO_GATE
    return {
        "gated": 1,
        "slot": gate.slot,
        "slot_limit": gate.slot_limit,
        "on_conflict": gate.on_conflict,
        "interval_us": gate.interval_us,
    }


def _shared(new: NewJob) -> Row:
    """What jobs that one statement puts in have in common."""
    return {
        "spec": new.spec,
        "spec_version": new.spec_version,
        "state": new.state,
        "queue": new.frozen.queue,
        "priority": new.frozen.priority,
        "run_at": new.run_at,
        "expires_at": new.expires_at,
        "fire_at": new.fire_at,
        "reason": new.reason,
        "blocked_by": new.blocked_by,
        "flow": new.flow,
        **gate_columns(new.frozen),
    }


def _in_order(news: Iterable[NewJob], rows: Sequence[Row]) -> Iterator[int | None]:
    """Match rows to what they were made of: a key is made at most once, at its first place."""
    made = iter(sorted(rows, key=itemgetter("id")))
    row = next(made, None)
    for new in news:
        if row is not None and row["key"] == new.key:
            yield row["id"]
            row = next(made, None)
        else:
            yield None


def _own_keep(job: Job, state: JobState) -> Keep | None:
    """What the job's own spec says of history in a state."""
    return next((keep for name, keep in job.frozen.keep.items() if name == state), None)


def _purge_at(keep: Keep | None, now: int) -> int | None:
    return None if keep is None or keep.for_ms is None else now + keep.for_ms


def _array(values: Sequence[str] | None) -> str | None:
    return None if values is None else _text(values)


def _text(values: Sequence[Any]) -> str:
    return msgspec.json.encode(values).decode()


def _first(rows: Sequence[Row]) -> Job | None:
    return _job(rows[0]) if rows else None


def _job(row: Row) -> Job:
    try:
        said = row["said"] and _decode_said(row["said"])
        return msgspec.convert(
            row | {"frozen": _decode(row["frozen"]), "worker": row["worker_id"], "said": said}, Job
        )
    except ValueError as error:
        raise damaged(f"job {row['id']}", error) from None
