"""Run jobs: scheduler and worker in one, until it is stopped or has nothing left to do."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import msgspec

from queuectl.engine.clock import SystemClock
from queuectl.engine.descriptors import close_on_exec_all, ensure_standard_fds
from queuectl.engine.hooks import HookCaller
from queuectl.engine.journal import Format, event, open_journal
from queuectl.engine.loop import Engine, WorkerSetup
from queuectl.engine.mark import is_alive, process_mark
from queuectl.engine.processes import Processes
from queuectl.engine.rescue import Rescuer, clear_away, left_behind
from queuectl.engine.signals import Signals
from queuectl.model.errors import StoreInvalidError, StoreUnavailableError, UsageError
from queuectl.model.states import JobState, Outcome
from queuectl.rules.limits import check_queue
from queuectl.service.context import Context
from queuectl.service.helm import Helm
from queuectl.service.lifeline import Lifeline
from queuectl.service.watch import Watch
from queuectl.store.library import has_wal_reset_bug
from queuectl.store.library import version as sqlite_version

EXIT_A_JOB_DIED = 1
EXIT_FORCED = 130
_LAST_WORDS_MS = 5_000
_TO_DO = (JobState.PENDING, JobState.PROCESSING, JobState.FAILED)


class RunOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How to run."""

    slots: int = 4
    queues: tuple[str, ...] = ()
    """Served queues; empty: all."""
    until_idle: bool = False
    """End when nothing is pending, processing or waiting for a retry."""
    watch: tuple[Path, ...] = ()
    """Apply these again when they change, and on SIGHUP."""
    log_format: Format | None = "text"
    """None leaves logging to the caller."""
    own_process: bool = True
    """False in a program that has children and open files of its own: they are left alone."""
    progress: Callable[[int, int], None] | None = None
    """Called with how many attempts ended in this run, and how many jobs are still to do."""
    lifeline: Lifeline | None = None
    """To the supervisor, where this is one of its workers."""
    watching: bool = True
    """False: another worker watches, as long as it lives."""


def run(ctx: Context, options: RunOptions) -> int:
    """Run jobs. Returns 0, 1 when a job died in a run that ended idle, or 130 after a forced stop.

    Raises StoreUnavailableError when the queue was moved or deleted meanwhile, StoreInvalidError when a newer queuectl
    has changed its schema.

    Takes the process over while it runs: signals, the working directory at times. Main thread only.
    """
    _check(options)
    if options.own_process:
        ensure_standard_fds()
        close_on_exec_all()
    if options.log_format is not None:
        open_journal(options.log_format, ctx.config.log_level, ctx.config.log_file)
    with Signals(last=options.own_process) as signals:  # from the start: a stop that comes early is heard
        return _run(ctx, options, signals)


def _run(ctx: Context, options: RunOptions, signals: Signals) -> int:
    me = _who_am_i(ctx, options)
    processes = Processes(ctx.log_dir, own_process=options.own_process)
    engine = Engine(
        ctx.store,
        ctx.config,
        me,
        clock=SystemClock(),
        spawner=processes,
        rescuer=_rescuer(ctx, me),
        on_poll=lambda: _on_poll(ctx, engine, watch, options),
    )
    watch = Watch(ctx, options.watch, active=options.watching)
    helm = Helm(engine, processes, watch, options.lifeline, signals)
    _listen(ctx, signals, engine)
    _warn(ctx)
    engine.join()
    if options.lifeline is not None:
        options.lifeline.report(ready=True)
    event(
        "worker started",
        worker=me.id,
        pid=me.pid,
        slots=me.slots,
        db=me.db,
        queues=",".join(me.queues) or None,
    )
    try:
        wait = 0
        while not engine.done:
            helm.obey(signals.wait(wait))
            wait = engine.tick()
    except StoreUnavailableError as error:
        event("worker failed", level=logging.ERROR, worker=me.id, reason=str(error))
        raise
    finally:
        _end_all(processes, signals)
    engine.leave()
    processes.close()
    event("worker stopped", worker=me.id, ended=engine.tally.ended, dead=engine.tally.dead or None)
    if engine.outdated:
        raise StoreInvalidError(
            f"{ctx.path} was brought up to date by a newer queuectl, so the worker stopped: start it again"
        )
    if engine.displaced:
        raise StoreUnavailableError(f"{ctx.path} was moved or deleted while the worker ran, so it stopped")
    return _exit_code(engine, options)


def _check(options: RunOptions) -> None:
    if options.slots < 1:
        raise UsageError(f"slots: expected at least 1, found {options.slots}")
    try:
        for name in options.queues:
            check_queue(name)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _who_am_i(ctx: Context, options: RunOptions) -> WorkerSetup:
    pid = os.getpid()
    return WorkerSetup(
        id=str(uuid.uuid4()),
        host=os.uname().nodename,
        pid=pid,
        pid_mark=process_mark(pid) or "",
        slots=options.slots,
        queues=options.queues,
        db=str(ctx.path),
        log_dir=ctx.log_dir,
        until_idle=options.until_idle,
    )


def _listen(ctx: Context, signals: Signals, engine: Engine) -> None:
    """Let other processes wake this one; where that can't be, it polls."""
    try:
        signals.hear(ctx.store.database.listen(), engine.wake)
    except OSError as error:
        event("only polls", reason=f"no socket to be woken through: {error.strerror or error}")


def _warn(ctx: Context) -> None:
    """Log what is wrong with the library, and each row that is found damaged, once."""
    told: set[str] = set()

    def damaged(what: str) -> None:
        if what not in told:
            told.add(what)
            event("damaged", level=logging.ERROR, reason=what)

    ctx.store.database.on_damage = damaged
    if has_wal_reset_bug(version := sqlite_version()):
        event(
            "warning",
            level=logging.WARNING,
            reason=f"SQLite {version} may damage a queue when two processes write at the same instant:"
            f" install apsw 3.51.3 or newer",
        )


def _kill_leftovers(worker: str, processes: Sequence[tuple[int, str]]) -> int:
    from queuectl.engine.leftovers import kill_leftovers  # noqa: PLC0415  20 ms that most runs don't need

    return kill_leftovers(worker, processes)


def _rescuer(ctx: Context, me: WorkerSetup) -> Rescuer:
    return Rescuer(
        ctx.store,
        host=me.host,
        lease_ms=ctx.config.lease,
        poll_ms=ctx.config.poll_interval,
        is_alive=is_alive,
        kill_leftovers=_kill_leftovers,
        left_behind=partial(left_behind, me.log_dir),
        clear_away=partial(clear_away, me.log_dir),
        on_end=HookCaller(ctx.store, ctx.config).call,
    )


def _on_poll(ctx: Context, engine: Engine, watch: Watch, options: RunOptions) -> None:
    watch.look()
    if options.lifeline is not None:
        options.lifeline.report(dead=engine.tally.dead)
    if options.progress is not None:
        counts = ctx.store.jobs.counts()
        options.progress(engine.tally.ended, sum(counts.get(state, 0) for state in _TO_DO))


def _end_all(processes: Processes, signals: Signals) -> None:
    """Leave no process behind when the loop itself fails; what ran then is rescued as lost."""
    if not processes.running():
        return
    now = SystemClock().monotonic
    for key in processes.running():
        processes.stop(key, Outcome.INTERRUPTED, now())
    _wait_for_ends(processes, signals, now)
    processes.kill_all(Outcome.INTERRUPTED)
    _wait_for_ends(processes, signals, now)


def _wait_for_ends(processes: Processes, signals: Signals, now: Callable[[], int]) -> None:
    until = now() + _LAST_WORDS_MS
    while processes.running() and now() < until:
        processes.tick(now())
        signals.wait(50)


def _exit_code(engine: Engine, options: RunOptions) -> int:
    if engine.stopping == "now":
        return EXIT_FORCED
    return EXIT_A_JOB_DIED if options.until_idle and engine.tally.dead else 0
