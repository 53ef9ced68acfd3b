"""The supervisor of `run --processes N`: starts the workers, replaces one that dies, passes signals on.

It forks them from itself, with no queue open: they start in milliseconds, share memory, and keep the configuration
that the run began with. It runs no job and adopts none. When it dies itself, the workers notice, finish what runs,
and leave.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Iterable, Sequence
from contextlib import closing
from functools import partial
from typing import NoReturn

import msgspec

from queuectl.engine.descriptors import ensure_standard_fds
from queuectl.engine.journal import event, open_journal
from queuectl.engine.signals import CAUGHT, Signals
from queuectl.model.errors import QueuectlError, StoreUnavailableError
from queuectl.service.context import Context
from queuectl.service.lifeline import Leash, Lifeline, Order, Report
from queuectl.service.place import Place
from queuectl.service.run import EXIT_A_JOB_DIED, EXIT_FORCED, RunOptions, run
from queuectl.store.store import Store

_LONG_MS = 3_600_000
_ORDERS: tuple[Order, Order, Order] = ("1", "2", "3")


def supervise(ctx: Context, options: RunOptions, *, processes: int) -> int:
    """Run jobs in so many worker processes, each with the slots of `options`; with one, in this process.

    Returns what `run` does, for all of them together, when each has ended by its own will. Raises the error that
    ended them, or that lets none start. Closes the queue of `ctx`, which must not cross a fork.
    """
    if processes == 1:
        return run(ctx, options)
    ctx.store.close()
    ensure_standard_fds()
    if options.log_format is not None:
        open_journal(options.log_format, ctx.config.log_level, ctx.config.log_file)
    event("supervisor started", pid=os.getpid(), processes=processes, slots=options.slots, db=ctx.path)
    with Signals(last=True) as signals:
        return _Supervisor(ctx, options, processes, signals).run()


class _Supervisor:
    """Sleeps until a signal, a child's end, or a report."""

    def __init__(self, ctx: Context, options: RunOptions, processes: int, signals: Signals) -> None:
        self._ctx = ctx
        self._options = options
        self._signals = signals
        self._places = [Place() for _ in range(processes)]
        self._watcher = self._places[0]
        self._stops = 0

    def run(self) -> int:
        gc.freeze()  # no collection in a worker writes to what all share
        while any(not place.over for place in self._places):
            self._start_due()
            self._obey(self._signals.wait(self._sleep()))
            self._reap()
            self._give_up()
        return _outcome(self._places, until_idle=self._options.until_idle)

    def _start_due(self) -> None:
        now = time.monotonic()
        for place in self._places:
            if place.is_due(now):
                self._start(place, now)
        self._pass_watch_on()

    def _start(self, place: Place, now: float) -> None:
        before = place.pid
        ours, theirs = socket.socketpair()
        sys.stdout.flush()
        signal.pthread_sigmask(signal.SIG_BLOCK, CAUGHT)  # the child's first are not for the parent's ears
        try:
            pid = os.fork()
            if pid == 0:
                ours.close()
                self._become_worker(place, Lifeline(theirs))
        except OSError as error:
            ours.close()
            place.since = now
            self._ended(place, None, 1, Report(error=f"a worker process can't be started: {error.strerror}"))
            return
        finally:
            theirs.close()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, CAUGHT)
        leash = Leash(ours)
        place.started(pid, leash, now)
        self._signals.hear(leash, partial(self._hear, leash))
        if before is not None:
            event("worker process replaced", pid=pid, before=before)
            if place is self._watcher and self._options.watch:
                place.order("a")  # for what changed while nobody watched

    def _become_worker(self, place: Place, lifeline: Lifeline) -> NoReturn:
        code = 1
        try:
            self._signals.let_go()
            for other in self._places:
                if other.leash is not None:  # else its worker would not notice the supervisor's end
                    other.leash.close()
            code = _work(self._ctx, self._options_of(place, lifeline), lifeline)
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)

    def _options_of(self, place: Place, lifeline: Lifeline) -> RunOptions:
        def progress(ended: int, to_do: int) -> None:
            lifeline.report(ended=ended, to_do=to_do)

        return msgspec.structs.replace(
            self._options,
            lifeline=lifeline,
            watching=place is self._watcher,
            progress=progress if self._options.progress else None,
        )

    def _hear(self, leash: Leash) -> None:
        if leash.cut:
            self._signals.ignore(leash)
        if self._options.progress is not None:
            ended = sum(report.ended for place in self._places for report in place.reports)
            self._options.progress(ended, leash.report.to_do)

    def _pass_watch_on(self) -> None:
        """Let another worker watch the paths when the one that did has left."""
        heir = next((place for place in self._places if place.leash is not None), None)
        if self._options.watch and self._watcher.over and heir is not None:
            self._watcher = heir
            heir.order("a")

    def _obey(self, numbers: Iterable[signal.Signals]) -> None:
        for number in numbers:
            if number is signal.SIGHUP and self._options.watch:
                self._watcher.order("a")
            elif number is not signal.SIGCHLD and not (number is signal.SIGHUP and self._stops):
                self._stop()

    def _stop(self) -> None:
        order = _ORDERS[min(self._stops, 2)]
        self._stops += 1
        for place in self._places:
            place.order(order)
            place.over = place.over or place.leash is None

    def _reap(self) -> None:
        """Take every child that has ended; also strangers, which the first process of a container is given."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for place in self._places:
                if place.pid == pid and place.leash is not None:
                    place.leash.drain()
                    self._signals.ignore(place.leash)
                    place.leash.close()
                    self._ended(place, pid, os.waitstatus_to_exitcode(status), place.leash.report)

    def _ended(self, place: Place, pid: int | None, code: int, report: Report) -> None:
        now = time.monotonic()
        how = place.ended(code, report, now, stopping=bool(self._stops))
        if how is not None:
            event(
                "worker process died" if pid else "worker process not started",
                level=logging.WARNING,
                pid=pid,
                reason=how,
                next_in_ms=None if place.over else round((place.due_at - now) * 1000) or None,
            )

    def _give_up(self) -> None:
        """End when no worker runs and none can."""
        waiting = [place for place in self._places if not place.over]
        if all(place.leash is None and place.error is not None for place in waiting):
            for place in waiting:
                place.over = True

    def _sleep(self) -> int:
        waits = [place.due_at for place in self._places if not place.over and place.leash is None]
        return round((min(waits) - time.monotonic()) * 1000) + 1 if waits else _LONG_MS


def _work(ctx: Context, options: RunOptions, lifeline: Lifeline) -> int:
    """Be a worker; return the exit code. What goes wrong is the supervisor's to say."""
    try:
        own = _reopened(ctx)
        with closing(own.store):
            return run(own, options)
    except QueuectlError as error:
        lifeline.report(error=_sayable(str(error)))
        return error.exit_code
    except Exception as error:  # noqa: BLE001  as the command line does
        if os.environ.get("QUEUECTL_DEBUG"):
            traceback.print_exc()
        lifeline.report(error=_sayable(f"unexpected {type(error).__name__}: {error}"))
        return 1


def _reopened(ctx: Context) -> Context:
    """Return the same with a connection of its own; a queue that is gone is not made again."""
    store = Store.open(ctx.path, create=False, durability=ctx.config.durability)
    if store is None:
        raise StoreUnavailableError(f"{ctx.path} was moved or deleted while the workers ran")
    return msgspec.structs.replace(ctx, store=store)


def _sayable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def _outcome(places: Sequence[Place], *, until_idle: bool) -> int:
    """Make one exit code of all: forced, else an error, which is raised, else whether a job died."""
    if any(place.code == EXIT_FORCED for place in places):
        return EXIT_FORCED
    errors = [place.error for place in places if place.error is not None]
    if errors:
        raise max(errors, key=lambda error: error.exit_code)
    died = any(place.code or any(report.dead for report in place.gone) for place in places)
    return EXIT_A_JOB_DIED if until_idle and died else 0
