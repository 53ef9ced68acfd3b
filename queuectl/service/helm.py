"""The helm of a run: signals and a supervisor's orders become what the engine is to do."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterable

from queuectl.engine.journal import event
from queuectl.engine.loop import Engine
from queuectl.engine.processes import Processes
from queuectl.engine.signals import Signals
from queuectl.model.states import Outcome
from queuectl.service.lifeline import Lifeline
from queuectl.service.watch import Watch


class Helm:
    """First SIGINT or SIGTERM: finish what runs. Second: terminate it. Third: kill it. SIGHUP: apply, or the same.

    A supervisor's orders count for themselves. So it does no harm when a signal reaches the whole process group, or
    everything in a service, and the supervisor passes it on, too.
    """

    def __init__(
        self, engine: Engine, processes: Processes, watch: Watch, lifeline: Lifeline | None, signals: Signals
    ) -> None:
        self._engine = engine
        self._processes = processes
        self._watch = watch
        self._lifeline = lifeline
        self._signals = signals
        self._stops = 0
        if lifeline is not None:
            signals.hear(lifeline, self._follow)

    def obey(self, numbers: Iterable[signal.Signals]) -> None:
        """Do what the signals say."""
        for number in numbers:
            if number is signal.SIGHUP:
                self._hang_up()
            elif number is not signal.SIGCHLD:
                self._count()

    def _hang_up(self) -> None:
        """Apply the watched paths; without any, the terminal is gone. With a supervisor that is its to say."""
        if self._lifeline is not None:
            return
        if self._watch.paths:
            self._watch.apply()
        elif not self._engine.stopping:
            self._count()

    def _count(self) -> None:
        self._stops += 1
        self._stop(self._stops)

    def _stop(self, urgency: int) -> None:
        self._engine.stop("graceful" if urgency == 1 else "now")
        if urgency > 2:
            self._processes.kill_all(Outcome.INTERRUPTED)

    def _follow(self) -> None:
        """Do what the supervisor says; when it is gone, nobody would replace this worker: finish what runs."""
        assert self._lifeline is not None  # noqa: S101  it is what is heard
        for order in self._lifeline.orders():
            if order == "a":
                self._watch.active = True
                self._watch.apply()
            else:
                self._stop(int(order))
        if self._lifeline.cut:
            self._signals.ignore(self._lifeline)
            event("supervisor gone", level=logging.WARNING)
            self._stop(1)
