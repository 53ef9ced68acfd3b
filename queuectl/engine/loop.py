"""The engine: one thread, one loop, one wait.

`tick` does everything that is due, in one transaction where it writes, and returns how long nothing will be due.
Time-outs are enforced before any SQL, and the store is never waited for long: a busy store delays no kill.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import random
from uuid import uuid4

from queuectl.engine.clock import Clock
from queuectl.engine.firing import fire_due, set_right
from queuectl.engine.journal import event
from queuectl.engine.launch import Ended, Key, Launch, Spawner, Started
from queuectl.engine.rescue import Rescuer
from queuectl.engine.retention import forget_some
from queuectl.model.config import Config
from queuectl.model.errors import StoreUnavailableError
from queuectl.model.fire import Fire
from queuectl.model.job import AttemptEnd, Job
from queuectl.model.states import JobState, Outcome
from queuectl.model.transition import Transition
from queuectl.model.worker import StopMode
from queuectl.rules.transitions import after_attempt, describe, judge
from queuectl.store.jobs import is_quarantined
from queuectl.store.store import Store

LOCK_WAIT_MS = 250
"""How long a tick waits for another writer; what it could not write is written by the next one."""
STORE_PAUSE_MS = 500
"""Between two tries to reach a store that is busy or full."""
COMPLAINT_MS = 10_000
"""At most one log line about the store in this time."""
SET_BACK_MS = 60_000
"""A wall clock that goes back so far may have been wrong for long."""
RETENTION_MS = 60_000
"""Between two rounds of forgetting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSetup:
    """Who this worker is."""

    id: str
    host: str
    pid: int
    pid_mark: str
    slots: int
    queues: tuple[str, ...]
    db: str
    log_dir: Path
    until_idle: bool = False


@dataclass(slots=True, kw_only=True)
class Tally:
    """What this run has done so far."""

    ended: int = 0
    dead: int = 0


@dataclass(slots=True, kw_only=True)
class _Due:
    """Monotonic instants at which the periodic chores are next due; 0: at once."""

    beat: int = 0
    poll: int = 0
    retention: int = 0
    complaint: int = 0


@dataclass(slots=True, kw_only=True)
class _Unwritten:
    """What has happened but is not in the store yet. Kept until a transaction took it."""

    pids: list[Started] = field(default_factory=list)
    ends: list[Ended] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Finished:
    job: Job
    claimed_at: int
    end: AttemptEnd
    transition: Transition


class Engine:
    """Runs jobs until it is stopped, or until nothing is left to do (`until_idle`)."""

    def __init__(
        self,
        store: Store,
        config: Config,
        me: WorkerSetup,
        *,
        clock: Clock,
        spawner: Spawner,
        rescuer: Rescuer,
        on_poll: Callable[[], None] = lambda: None,
    ) -> None:
        self.tally = Tally()
        self.stopping: StopMode | None = None
        self.displaced = False
        """The queue was moved, replaced or deleted under the worker: it stops."""
        self._store = store
        self._config = config
        self._me = me
        self._clock = clock
        self._spawner = spawner
        self._rescuer = rescuer
        self._on_poll = on_poll
        self._due = _Due()
        self._unwritten = _Unwritten()
        self._held: dict[Key, Job] = {}
        self._paused = False
        self._idle = False
        self._grace_until: int | None = None
        self._ahead: int | None = None
        """By how much the wall clock was ahead of the monotonic one; None when it has been set back since."""

    @property
    def done(self) -> bool:
        """Whether the run is over: stopped and nothing runs, or idle where that ends it."""
        if self._held or self._unwritten.ends:
            return False
        return self.stopping is not None or (self._me.until_idle and self._idle)

    def join(self) -> None:
        """Register the worker."""
        me = self._me
        self._store.workers.register(
            worker=me.id,
            host=me.host,
            pid=me.pid,
            pid_mark=me.pid_mark,
            slots=me.slots,
            queues=me.queues,
            now=self._clock.wall(),
        )
        self._due.beat = self._clock.monotonic() + self._config.heartbeat
        self._store.database.wait_for_lock(LOCK_WAIT_MS)

    def leave(self) -> None:
        """Take the worker off the register."""
        self._store.database.wait_for_lock(None)
        self._store.workers.leave(self._me.id)

    def stop(self, mode: StopMode) -> None:
        """Stop claiming. `graceful` lets running attempts finish, `now` terminates them; `now` can't be taken back."""
        mono = self._clock.monotonic()
        if mode == "graceful" and self.stopping is None:
            grace = self._config.stop_grace
            self._grace_until = None if isinstance(grace, str) else mono + grace
            event("stopping", mode=mode, running=len(self._held) or None)
            self.stopping = mode
        elif mode == "now" and self.stopping != "now":
            event("stopping", mode=mode, running=len(self._held) or None)
            self.stopping = mode
            for key in self._spawner.running():
                self._spawner.stop(key, Outcome.INTERRUPTED, mono)

    def tick(self) -> int:
        """Do everything that is due. Returns for how many milliseconds nothing will be."""
        now, mono = self._clock.wall(), self._clock.monotonic()
        self._unwritten.ends += self._spawner.tick(mono)
        if self._grace_until is not None and mono >= self._grace_until:
            self._grace_until = None
            self.stop("now")
        try:
            claimed = self._exchange(now, mono)
        except StoreUnavailableError as error:
            self._complain(error, mono)
            return min(STORE_PAUSE_MS, self._until(self._spawner.next_deadline(), mono))
        for job in claimed:
            self._start(job)
        return 0 if claimed else self._sleep(now, mono)

    def _exchange(self, now: int, mono: int) -> Sequence[Job]:
        """Tell the store what happened, and ask it what is to be done. Returns what to start."""
        if mono >= self._due.poll:
            self._poll(now, mono)
        with self._store.transaction():
            finished = self._write(now)
            fires = self._fall_due(now, mono)
            claimed = self._claim(now)
        self._written()
        self._ahead = now - mono
        for one in finished:
            self._report(one, now)
        for fire in fires:
            _report_fire(fire)
        self._held.update(((job.id, job.attempt), job) for job in claimed)
        if self._me.until_idle:
            self._idle = not self._held and not self._store.jobs.busy(self._me.queues)
        return claimed

    def _poll(self, now: int, mono: int) -> None:
        """Once per poll interval: heartbeat, orders, rescue, cancellations, forgetting."""
        self._beat(now, mono)
        self._check_place()
        self.tally.dead += self._rescuer.rescue(worker=self._me.id, now=now, mono=mono).count(JobState.DEAD)
        self._on_poll()
        cancelled = set(self._store.jobs.cancel_requests(self._me.id))
        for key in [key for key in self._held if key[0] in cancelled]:
            self._spawner.stop(key, Outcome.CANCELLED, mono)
        if mono >= self._due.retention:
            more = forget_some(self._store, self._config, self._me.log_dir, now=now)
            self._due.retention = mono + (self._config.poll_interval if more else RETENTION_MS)
        self._due.poll = mono + self._config.poll_interval

    def _beat(self, now: int, mono: int) -> None:
        if mono >= self._due.beat:
            orders = self._store.workers.beat(self._me.id, now=now)
            self._due.beat = mono + self._config.heartbeat
        else:
            orders = self._store.workers.orders(self._me.id)
        if orders is None:
            self._fence()
            return
        self._paused = orders.paused
        if orders.stop:
            self.stop(orders.stop)

    def _check_place(self) -> None:
        """Stop when nobody else sees this queue any more; what runs may finish, and is recorded where it was."""
        if not self.displaced and not self._store.database.in_place():
            self.displaced = True
            event("queue moved or deleted", level=logging.ERROR, db=self._me.db)
            self.stop("graceful")

    def _fence(self) -> None:
        """Others hold this worker for dead and may run its jobs: kill what it runs, report nothing, start afresh.

        Under a new name: what it claimed before it knew is abandoned, and nobody who still looks for what the old
        one left takes it for the new one.
        """
        old, new = self._me.id, str(uuid4())
        event("fenced", level=logging.WARNING, worker=old, running=len(self._held) or None, successor=new)
        self._spawner.kill_all(Outcome.INTERRUPTED)
        self._held.clear()
        self._me = replace(self._me, id=new)
        self.join()

    def _write(self, now: int) -> list[_Finished]:
        """Record pids and ends."""
        for started in self._unwritten.pids:
            job_id, number = started.key
            self._store.attempts.record_pid(
                job_id, number, worker=self._me.id, pid=started.pid, pid_mark=started.pid_mark
            )
        return [finished for ended in self._unwritten.ends if (finished := self._finish(ended, now))]

    def _finish(self, ended: Ended, now: int) -> _Finished | None:
        """Finish the job; None for one that this worker was fenced off. The store's guard refuses a late one."""
        claimed = self._held.get(ended.key)
        if claimed is None:
            return None
        job = self._store.jobs.get(ended.key[0])  # as it is now: it may have been cancelled meanwhile
        if job is None or job.attempt != ended.key[1]:
            return None
        end = judge(ended.end, job)
        transition = after_attempt(job, end, now=now, random=random())  # noqa: S311  # jitter
        held = self._store.jobs.finish(job, end, transition, now=now)
        return _Finished(job, claimed.updated_at, end, transition) if held else None

    def _fall_due(self, now: int, mono: int) -> Sequence[Fire]:
        """Expire, fire and promote."""
        if self.stopping:
            return []
        if self._ahead is None or now - mono < self._ahead - SET_BACK_MS:
            set_right(self._store, self._config, now=now)
        self._store.jobs.expire(now=now)
        fires = fire_due(self._store, self._config, now=now)
        self._store.jobs.promote(now=now)
        return fires

    def _claim(self, now: int) -> Sequence[Job]:
        """Claim no more than there are free slots."""
        ended = {ended.key for ended in self._unwritten.ends}
        running = [job for key, job in self._held.items() if key not in ended]
        free = self._me.slots - len(running)
        if self.stopping or self._paused or free <= 0 or any(is_quarantined(job) for job in running):
            return []
        return self._store.jobs.claim(
            worker=self._me.id,
            host=self._me.host,
            queues=self._me.queues,
            limit=free,
            idle=not running,
            now=now,
        )

    def _written(self) -> None:
        """Forget what the store knows now."""
        for ended in self._unwritten.ends:
            self._held.pop(ended.key, None)
        self._unwritten.pids.clear()
        self._unwritten.ends.clear()

    def _start(self, job: Job) -> None:
        launch = Launch(
            job_id=job.id,
            attempt=job.attempt,
            frozen=job.frozen,
            spec=job.spec,
            fire_at=job.fire_at,
            worker=self._me.id,
            db=self._me.db,
        )
        started = self._spawner.start(launch, self._clock.monotonic())
        if isinstance(started, Started):
            self._unwritten.pids.append(started)
            event("started", job=job.id, spec=job.spec, attempt=job.attempt, pid=started.pid)
        else:
            self._unwritten.ends.append(started)

    def _sleep(self, now: int, mono: int) -> int:
        """Return how long nothing will be due."""
        waits = [self._due.poll - mono, self._due.beat - mono]
        if self._unwritten.pids or self._unwritten.ends:
            return 0
        if self._grace_until is not None:
            waits.append(self._grace_until - mono)
        if not self.stopping:
            due = self._store.next_deadline()
            if due is not None:
                waits.append(due - now)
        return max(0, min(*waits, self._until(self._spawner.next_deadline(), mono)))

    def _until(self, deadline: int | None, mono: int) -> int:
        return self._config.poll_interval if deadline is None else max(0, deadline - mono)

    def _report(self, finished: _Finished, now: int) -> None:
        job, end, transition = finished.job, finished.end, finished.transition
        dead = transition.state is JobState.DEAD
        self.tally.ended += 1
        self.tally.dead += dead
        waits = transition.state is JobState.FAILED and transition.run_at is not None
        event(
            end.outcome if transition.state is JobState.PENDING else transition.state,
            level=logging.WARNING if dead else logging.INFO,
            job=job.id,
            spec=job.spec,
            attempt=job.attempt,
            reason=None if end.outcome is Outcome.SUCCEEDED else describe(end),
            took_ms=now - finished.claimed_at,
            retry_in_ms=transition.run_at - now if waits and transition.run_at else None,
        )

    def _complain(self, error: StoreUnavailableError, mono: int) -> None:
        if mono >= self._due.complaint:
            self._due.complaint = mono + COMPLAINT_MS
            event("store unavailable", level=logging.WARNING, reason=str(error))


def _report_fire(fire: Fire) -> None:
    event(
        "fired" if fire.job_id else f"fire {fire.outcome}",
        spec=fire.spec,
        job=fire.job_id,
        count=fire.count if fire.count > 1 else None,
        reason=fire.reason,
    )
