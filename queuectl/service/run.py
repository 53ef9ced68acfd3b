"""Run jobs: scheduler and worker in one, until it is stopped or has nothing left to do."""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from queuectl.engine.clock import SystemClock
from queuectl.engine.descriptors import close_on_exec_all, ensure_standard_fds
from queuectl.engine.journal import Format, event, open_journal
from queuectl.engine.loop import Engine, WorkerSetup
from queuectl.engine.mark import is_alive, process_mark
from queuectl.engine.processes import Processes
from queuectl.engine.rescue import Rescuer, left_behind
from queuectl.engine.signals import Signals
from queuectl.model.errors import StoreUnavailableError, UsageError
from queuectl.model.states import JobState, Outcome
from queuectl.rules.limits import check_queue
from queuectl.service.context import Context
from queuectl.service.watch import Watch

EXIT_A_JOB_DIED = 1
EXIT_FORCED = 130
_LAST_WORDS_MS = 5_000
_TO_DO = (JobState.PENDING, JobState.PROCESSING, JobState.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
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
    progress: Callable[[int, int], None] = field(default=lambda _ended, _open: None)
    """Called with how many attempts ended in this run, and how many jobs are still to do."""


def run(ctx: Context, options: RunOptions) -> int:
    """Run jobs. Returns 0, 1 when a job died in a run that ended idle, or 130 after a forced stop.

    Raises StoreUnavailableError when the queue was moved or deleted meanwhile.

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
    watch = Watch(ctx, options.watch)
    engine.join()
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
            _obey(signals.wait(wait), engine, processes, watch)
            wait = engine.tick()
    finally:
        _end_all(processes, signals)
    engine.leave()
    event("worker stopped", worker=me.id, ended=engine.tally.ended, dead=engine.tally.dead or None)
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
    )


def _on_poll(ctx: Context, engine: Engine, watch: Watch, options: RunOptions) -> None:
    watch.look()
    counts = ctx.store.jobs.counts() if options.until_idle else {}
    options.progress(engine.tally.ended, sum(counts.get(state, 0) for state in _TO_DO))


def _obey(numbers: Iterable[signal.Signals], engine: Engine, processes: Processes, watch: Watch) -> None:
    """First SIGINT or SIGTERM: finish what runs. Second: terminate it. Third: kill it."""
    for number in numbers:
        if number is signal.SIGHUP and watch.paths:
            watch.apply()
        elif number is signal.SIGHUP and engine.stopping:
            continue
        elif number is not signal.SIGCHLD:
            if engine.stopping == "now":
                processes.kill_all(Outcome.INTERRUPTED)
            engine.stop("now" if engine.stopping else "graceful")


def _end_all(processes: Processes, signals: Signals) -> None:
    """Leave no process behind when the loop itself fails; what ran then is rescued as lost."""
    if not processes.running():
        return
    processes.kill_all(Outcome.INTERRUPTED)
    clock = SystemClock()
    until = clock.monotonic() + _LAST_WORDS_MS
    while processes.running() and clock.monotonic() < until:
        processes.tick(clock.monotonic())
        signals.wait(50)


def _exit_code(engine: Engine, options: RunOptions) -> int:
    if engine.stopping == "now":
        return EXIT_FORCED
    return EXIT_A_JOB_DIED if options.until_idle and engine.tally.dead else 0
