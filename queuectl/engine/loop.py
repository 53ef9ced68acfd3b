"""The engine: one thread, one loop, one wait.

`tick` does everything that is due, in one transaction where it writes, and returns how long nothing will be due.
Time-outs are enforced before any SQL, and the store is never waited for long: a busy store delays no kill.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from random import random
from uuid import uuid4

import msgspec
from msgspec.structs import replace

from queuectl.engine.clock import Clock
from queuectl.engine.firing import fire_due, set_right
from queuectl.engine.held import Held, HeldAttempt
from queuectl.engine.hooks import HookCaller
from queuectl.engine.journal import event
from queuectl.engine.launch import Ended, Launch, Spawner, Started
from queuectl.engine.output import said_name
from queuectl.engine.quarantine import Quarantine
from queuectl.engine.rescue import Rescuer
from queuectl.engine.retention import forget_some
from queuectl.engine.wal_watch import WalWatch
from queuectl.model.config import Config
from queuectl.model.errors import StoreFailedError, StoreInvalidError, StoreUnavailableError
from queuectl.model.fire import Fire
from queuectl.model.job import AttemptEnd, Job
from queuectl.model.states import JobState, Outcome
from queuectl.model.transition import Transition
from queuectl.model.worker import StopMode
from queuectl.rules.protocol import variable
from queuectl.rules.transitions import OUT_OF_RESOURCES_DELAY_MS, after_attempt, describe, judge
from queuectl.store.jobs import is_quarantined
from queuectl.store.store import Store

LOCK_WAIT_MS = 250
"""How long a tick waits for another writer; what it could not write is written by the next one."""
STORE_PAUSE_MS = 500
"""Between two tries to reach a store that is busy or full."""
BREATH_MS = 5
"""Between two ticks of the many that it takes when thousands of specs are due at once: others want to write, too."""
COMPLAINT_MS = 10_000
"""At most one log line about the store in this time."""
LAST_TRIES_MS = 10_000
"""How long a forced stop waits for the store, once nothing runs any more."""
CLOCK_STEP_MS = 60_000
"""A wall clock that was put back so far may have been wrong for long; one that was put forward may be wrong now."""
REST_MS = 20
"""Between two wake-ups of a worker that has no free slot: whoever enqueues thousands of jobs pays for each."""
RETENTION_MS = 60_000
"""Between two rounds of forgetting."""
STEADY_MS = 3_600_000
"""So long nothing is forgotten after the wall clock was put forward: it may be wrong, and history would be gone."""


class WorkerSetup(msgspec.Struct, frozen=True, kw_only=True):
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


class Tally(msgspec.Struct, kw_only=True):
    """What this run has done so far."""

    ended: int = 0
    dead: int = 0


class _Due(msgspec.Struct, kw_only=True):
    """When something is next due. Monotonic instants, 0: at once; but `store` is of the wall clock."""

    beat: int = 0
    poll: int = 0
    retention: int = 0
    complaint: int = 0
    last_try: int | None = None
    """Then a forced stop gives up waiting for the store."""
    room: int = 0
    """When to try again to run as many at once as there are slots."""
    store: int | None = None
    """When the next job, expiry or fire falls due; None: nothing is planned."""
    stale: bool = True
    """`store` has to be read anew."""

    def soonest(self, instants: Iterable[int | None]) -> None:
        """Keep in mind that something falls due at these instants, too."""
        self.store = min((at for at in (self.store, *instants) if at is not None), default=None)


class _Finished(msgspec.Struct, frozen=True):
    job: Job
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
        self.outdated = False
        """A newer queuectl has changed the queue's schema under the worker: it stops."""
        self._store = store
        self._config = config
        self._me = me
        self._clock = clock
        self._spawner = spawner
        self._rescuer = rescuer
        self._on_poll = on_poll
        self._hooks = HookCaller(store, config)
        self._due = _Due()
        self._held = Held(me.id, me.slots)
        self._quarantine = Quarantine()
        self._wal_watch = WalWatch(store.database)
        self._news = True
        """Others may have changed what is to be done."""
        self._moved = True
        """A job that waited for another may be free to go on."""
        self._fell_due = False
        """This tick did some of what was due; there may be more."""
        self._paused = False
        self._idle = False
        self._grace_until: int | None = None
        self._righting: str | None = None
        """The spec behind which setting right goes on, after the wall clock was set back; None: there is nothing to."""
        self._ahead: int | None = None
        """By how much the wall clock was ahead of the monotonic one; None when it has been set back since."""

    @property
    def done(self) -> bool:
        """Whether the run is over: stopped and nothing runs, or idle where that ends it."""
        if self._held:
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

    def wake(self) -> int:
        """Take note that others have changed something: the next tick looks.

        Returns for how many milliseconds it need not hear more of it: where nothing can be claimed, there is no hurry.
        """
        self._news = True
        return REST_MS if self.stopping or self._paused or self._held.full else 0

    def tick(self) -> int:
        """Do everything that is due. Returns for how many milliseconds nothing will be."""
        now, mono = self._clock.wall(), self._clock.monotonic()
        self._held.ended += self._spawner.tick(mono)
        if self._grace_until is not None and mono >= self._grace_until:
            self._grace_until = None
            self.stop("now")
        try:
            for held in self._exchange(now, mono):
                self._start(held)
            self._look_ahead(now)
        except StoreFailedError:  # a second try may seem to work, though what was written before is lost
            raise
        except StoreUnavailableError as error:
            self._complain(error, mono)
            if self._gives_up(mono):
                raise
            self._righting = None if self._righting is None else ""
            return min(STORE_PAUSE_MS, self._until(self._spawner.next_deadline(), mono))
        return self._sleep(now, mono)

    def _exchange(self, now: int, mono: int) -> Sequence[HeldAttempt]:
        """Tell the store what happened, and ask it what is to be done. Returns what to start."""
        self._fell_due = False
        if mono >= self._due.poll:
            self._poll(now, mono)
        if mono >= self._due.room:
            self._held.room = self._me.slots
        if self._news:
            self._hear(mono)
        claimed = self._write(now, mono) if self._has_to_write(now, mono) else []
        self._news = False
        self._ahead = now - mono
        if self._me.until_idle:
            self._idle = not self._held and not self._store.jobs.busy(self._me.queues)
        return claimed

    def _poll(self, now: int, mono: int) -> None:
        """Once per poll interval: heartbeat, rescue, forgetting; and look whether a wake-up was missed."""
        if mono >= self._due.beat:
            self._beat(now, mono)
        self._check_place()
        self._wal_watch.look()
        rescued = self._rescuer.rescue(worker=self._me.id, now=now, mono=mono)
        self.tally.dead += rescued.count(JobState.DEAD)
        if rescued:  # it may have taken long to kill what was left
            self._beat(self._clock.wall(), self._clock.monotonic())
        self._on_poll()
        if self._ahead is not None and now - mono > self._ahead + CLOCK_STEP_MS:
            self._due.retention = mono + STEADY_MS
        if mono >= self._due.retention:
            more = forget_some(self._store, self._config, self._me.log_dir, now=now)
            self._due.retention = mono + (self._config.poll_interval if more else RETENTION_MS)
        self._news = True
        self._due.poll = mono + (0 if rescued else min(self._config.poll_interval, self._config.heartbeat))

    def _beat(self, now: int, mono: int) -> None:
        """Show that this worker lives; or learn that others hold it for dead."""
        if self._store.workers.beat(self._me.id, now=now) is None:
            self._fence()
        self._due.beat = mono + self._config.heartbeat

    def _hear(self, mono: int) -> None:
        """Read what others want: orders and cancellations."""
        orders = self._store.workers.orders(self._me.id)
        if orders is None:
            self._fence()
            return
        self._paused = orders.paused
        if orders.stop:
            self.stop(orders.stop)
        cancelled = set(self._store.jobs.cancel_requests(self._me.id)) if self._held else set()
        for key in self._held:
            if key[0] in cancelled:
                self._spawner.stop(key, Outcome.CANCELLED, mono)
        self._moved = self._due.stale = True

    def _has_to_write(self, now: int, mono: int) -> bool:
        """Tell whether a transaction has anything to do: an idle worker keeps nobody else from writing."""
        if self._held.ended or self._is_due(now, mono) or self._held.to_record(mono):
            return True
        if not self._news or self._held.full or self.stopping:
            return False
        return self._store.jobs.any_pending() or self._store.jobs.any_blocked()

    def _write(self, now: int, mono: int) -> Sequence[HeldAttempt]:
        """Write what ended and what falls due, and claim, in one transaction."""
        due = self._fell_due = self._is_due(now, mono)
        with self._store.transaction():
            now = (
                self._clock.wall()
            )  # while it waited for its turn, others went on: they were not ahead of time
            recorded = self._record_processes(mono)
            finished = [one for ended in self._held.ended if (one := self._finish(ended, now))]
            fires = self._fall_due(now, mono) if due else []
            frees = any(
                one.job.spec or one.job.frozen.concurrency for one in finished
            )  # for what waited for it
            moves = due or frees or (self._moved and self._store.jobs.any_blocked())
            promoted = self._promote(now) if moves and not self.stopping else set()
            claimed = self._claim(now, mono)
            over = any(one.transition.finished for one in finished)
            idle = over and not claimed and not self._held.running()
            if idle or promoted - {held.job.id for held in claimed} or (frees and self.stopping):
                self._store.database.announce()  # for those who wait for the last job, or can take what this one can't
        for key in self._held.stored(recorded):
            self._spawner.settle(key)
        self._held.take(claimed)
        self._moved = False
        self._due.stale = self._due.stale or moves
        self._due.soonest(one.transition.run_at for one in finished)
        for one in finished:
            self._report(one, now)
        for fire in fires:
            _report_fire(fire)
        return claimed

    def _promote(self, now: int) -> set[int]:
        """Let jobs go on that are due, or free to. Returns which are pending now."""
        promoted = {*self._store.jobs.promote(now=now)}
        if self._store.jobs.any_blocked():
            promoted |= {*self._store.gates.admit(now=now)}
        return promoted

    def _check_place(self) -> None:
        """Stop when this queue is no longer one to work on; what runs may finish, and is recorded where it was."""
        if not self.displaced and not self._store.database.in_place():
            self.displaced = True
            event("queue moved or deleted", level=logging.ERROR, db=self._me.db)
            self.stop("graceful")
        if not self.outdated and self._store.database.is_newer():
            self.outdated = True
            event("queue brought up to date by a newer queuectl", level=logging.ERROR, db=self._me.db)
            self.stop("graceful")

    def _fence(self) -> None:
        """Others hold this worker for dead and may run its jobs: kill what it runs, report nothing, start afresh.

        Under a new name: what it claimed before it knew is abandoned, and nobody who still looks for what the old
        one left takes it for the new one.
        """
        old, new = self._me.id, str(uuid4())
        event("fenced", level=logging.WARNING, worker=old, running=len(self._held) or None, successor=new)
        self._spawner.kill_all(Outcome.INTERRUPTED)
        self._me = replace(self._me, id=new)
        self._held.abandon(new)
        self.join()

    def _is_due(self, now: int, mono: int) -> bool:
        if self.stopping:
            return False
        if self._righting is not None or self._is_set_back(now, mono):
            return True
        return self._due.store is not None and now >= self._due.store

    def _is_set_back(self, now: int, mono: int) -> bool:
        return self._ahead is None or now - mono < self._ahead - CLOCK_STEP_MS

    def _look_ahead(self, now: int) -> None:
        """Read when something next falls due, after what could be started has been: that comes first."""
        if self._due.stale and not self.stopping:
            self._due.store = self._store.next_deadline(tried=now)
            self._due.stale = False

    def _record_processes(self, mono: int) -> Sequence[HeldAttempt]:
        """Note which processes the attempts run in that have run for a while. Returns the attempts."""
        recorded = self._held.to_record(mono)
        for held in recorded:
            self._store.attempts.record_pid(
                *held.key, worker=self._me.id, pid=held.pid, pid_mark=self._spawner.pid_mark(held.key)
            )
        return recorded

    def _finish(self, ended: Ended, now: int) -> _Finished | None:
        """Finish the job; None for one that this worker was fenced off. The store's guard refuses a late one."""
        held = self._held.get(ended.key)
        if held is None:
            return None
        finished = self._finish_as(held.job, ended, now)
        if finished is None:  # its cancellation was asked for meanwhile, or it is another's
            try:
                job = self._store.jobs.get(ended.key[0])
            except StoreInvalidError as error:
                self._store.jobs.bury(ended.key[0], reason=str(error), now=now)
                return None
            if job is not None and job.attempt == ended.key[1]:
                return self._finish_as(job, ended, now)
        return finished

    def _finish_as(self, job: Job, ended: Ended, now: int) -> _Finished | None:
        end = judge(ended.end, job)
        transition = after_attempt(job, end, now=now, random=random())  # noqa: S311  # jitter
        held = self._store.jobs.finish(job, end, transition, now=now)
        if held:
            self._hooks.call(job, end, transition, now)
        return _Finished(job, end, transition) if held else None

    def _fall_due(self, now: int, mono: int) -> Sequence[Fire]:
        """Expire and fire."""
        if self.stopping:
            return []
        if self._is_set_back(now, mono):
            self._righting = ""
        if self._righting is not None:
            self._righting = set_right(self._store, self._config, now=now, after=self._righting)
        self._store.jobs.expire(now=now)
        return fire_due(self._store, self._config, now=now)

    def _claim(self, now: int, mono: int) -> Sequence[HeldAttempt]:
        """Claim no more than there are free slots."""
        running = self._held.running()
        outputs = self._held.free_outputs()
        if self.stopping or self._paused or not outputs or any(is_quarantined(held.job) for held in running):
            return []
        jobs = self._store.jobs.claim(
            worker=self._me.id,
            host=self._me.host,
            queues=self._me.queues,
            outputs=outputs,
            idle=not running,
            now=now,
            may_overtake=lambda job_id: self._quarantine.may_overtake(job_id, running, mono),
        )
        return [HeldAttempt(job, output) for job, output in zip(jobs, outputs, strict=False)]

    def _start(self, held: HeldAttempt) -> None:
        job = held.job
        launch = Launch(
            job_id=job.id,
            attempt=job.attempt,
            frozen=job.frozen,
            spec=job.spec,
            fire_at=job.fire_at,
            worker=self._me.id,
            db=self._me.db,
            output=held.output,
            said=str(self._me.log_dir / said_name(held.output)),
            needs=self._needed(job),
            stdin=self._store.jobs.input(job.id) if job.frozen.event else None,
        )
        mono = self._clock.monotonic()
        if self._is_overdue(mono):
            self._held.ended.append(Ended(key=held.key, end=AttemptEnd(outcome=Outcome.INTERRUPTED)))
            self._due.poll = self._due.beat = 0
            return
        started = self._spawner.start(launch, mono)
        if isinstance(started, Started):
            self._held.started(held.key, started.pid, mono)
            event("started", job=job.id, spec=job.spec, attempt=job.attempt, pid=started.pid)
        else:
            self._held.ended.append(started)
            if started.end.out_of_resources:
                self._make_do(started.end, mono)

    def _make_do(self, end: AttemptEnd, mono: int) -> None:
        """Run no more at once than the machine can start, else every waiting job would be tried in vain."""
        self._held.room = len(self._held.running())
        if mono >= self._due.room:
            self._due.room = mono + OUT_OF_RESOURCES_DELAY_MS
            event(
                "out of resources",
                level=logging.WARNING,
                reason=end.error,
                next_in_ms=OUT_OF_RESOURCES_DELAY_MS,
            )

    def _is_overdue(self, mono: int) -> bool:
        """Whether the last heartbeat is so long ago that others may hold this worker for dead: it stood still."""
        return mono - (self._due.beat - self._config.heartbeat) > self._config.lease

    def _needed(self, job: Job) -> tuple[tuple[str, str], ...]:
        if job.flow is None:
            return ()
        outputs = self._store.flows.outputs(job.id)
        return tuple((variable(name, key), value) for name, found in outputs for key, value in found.items())

    def _sleep(self, now: int, mono: int) -> int:
        """Return how long nothing will be due."""
        if self._held.ended:
            return 0
        waits = [self._due.poll - mono]
        if self._righting is not None and not self.stopping:
            waits.append(BREATH_MS)
        record_at = self._held.next_record()
        if record_at is not None:
            waits.append(record_at - mono)
        if self._grace_until is not None:
            waits.append(self._grace_until - mono)
        if self._due.store is not None and not self.stopping:
            waits.append(max(self._due.store - now, BREATH_MS if self._fell_due else 0))
        return max(0, min(*waits, self._until(self._spawner.next_deadline(), mono)))

    def _until(self, deadline: int | None, mono: int) -> int:
        return self._config.poll_interval if deadline is None else max(0, deadline - mono)

    def _report(self, finished: _Finished, now: int) -> None:
        job, end, transition = finished.job, finished.end, finished.transition
        dead = transition.state is JobState.DEAD
        self.tally.ended += 1
        self.tally.dead += dead
        if end.out_of_resources and not transition.finished:  # said once for all that could not start
            return
        waits = transition.state is JobState.FAILED and transition.run_at is not None
        event(
            end.outcome if transition.state is JobState.PENDING else transition.state,
            level=logging.WARNING if dead else logging.INFO,
            job=job.id,
            spec=job.spec,
            attempt=job.attempt,
            reason=_reason(finished),
            took_ms=now - job.updated_at,
            retry_in_ms=transition.run_at - now if waits and transition.run_at else None,
        )

    def _gives_up(self, mono: int) -> bool:
        """Whether a forced stop has waited long enough to write down what ended: those jobs count as lost, then."""
        if self.stopping != "now" or self._spawner.running():
            return False
        if self._due.last_try is None:
            self._due.last_try = mono + LAST_TRIES_MS
        return mono >= self._due.last_try

    def _complain(self, error: StoreUnavailableError, mono: int) -> None:
        if mono >= self._due.complaint:
            self._due.complaint = mono + COMPLAINT_MS
            event("store unavailable", level=logging.WARNING, reason=str(error))


def _reason(finished: _Finished) -> str | None:
    match finished.end.outcome:
        case Outcome.SUCCEEDED:
            return None
        case Outcome.CANCELLED | Outcome.SNOOZED:
            return finished.transition.reason
        case _:
            return describe(finished.end)


def _report_fire(fire: Fire) -> None:
    event(
        "fired" if fire.job_id else f"fire {fire.outcome}",
        spec=fire.spec,
        job=fire.job_id,
        count=fire.count if fire.count > 1 else None,
        reason=fire.reason,
    )
