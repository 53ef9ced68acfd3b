"""One place of a supervisor: who works there, and what follows when that worker is gone."""

from __future__ import annotations

import signal

import msgspec

from queuectl.model.errors import QueuectlError
from queuectl.service.lifeline import Leash, Order, Report
from queuectl.service.run import EXIT_A_JOB_DIED, EXIT_FORCED

QUICK_S = 10.0
"""A worker that dies sooner may do so again: the next ones wait longer and longer."""
LONGEST_PAUSE_S = 30.0
GIVE_UP_AFTER = 5
"""So many in a row that died before they had registered: none will."""

_OWN_WILL = frozenset({0, EXIT_A_JOB_DIED, EXIT_FORCED})


class Place(msgspec.Struct):
    """Taken by one worker process after the other. Instants are monotonic, in seconds."""

    pid: int | None = None
    """Of the worker that is here, or was here last."""
    leash: Leash | None = None
    """To the one that is here; None: the place is empty."""
    over: bool = False
    """Nobody comes here any more."""
    due_at: float = 0.0
    """When the next one is to start."""
    code: int = 0
    """Exit code that the last one's end asks of the whole run."""
    error: QueuectlError | None = None
    """What keeps workers from working here."""
    gone: list[Report] = []
    """Last words of those that were here."""
    since: float = 0.0
    quick_deaths: int = 0
    """In a row."""

    @property
    def reports(self) -> list[Report]:
        """What everybody who has been here has done."""
        return [*self.gone, self.leash.report] if self.leash else self.gone

    def is_due(self, now: float) -> bool:
        """Whether the next one is to start."""
        return not self.over and self.leash is None and now >= self.due_at

    def started(self, pid: int, leash: Leash, now: float) -> None:
        """Empty → taken."""
        self.pid, self.leash, self.since = pid, leash, now

    def order(self, order: Order) -> None:
        """Tell the worker what to do, if there is one."""
        if self.leash is not None:
            self.leash.order(order)

    def ended(self, code: int, report: Report, now: float, *, stopping: bool = False) -> str | None:
        """Taken → over, when its worker ended by its own will or everything stops, else → empty until `due_at`.

        Returns how it died; None for its own will. `code` is its exit code, or the negative number of a signal.
        One that was killed or crashed is replaced at once, unless it happens again and again; one that could say
        what is wrong leaves that some time to pass.
        """
        self.leash = None
        self.gone.append(report)
        if report.error is None and code in _OWN_WILL:
            self.over, self.code, self.error = True, code, None
            return None
        how = report.error or _in_words(code)
        self.quick_deaths = self.quick_deaths + 1 if now - self.since < QUICK_S else 1
        pauses = self.quick_deaths if report.error else self.quick_deaths - 1
        self.due_at = now + (min(2.0 ** (pauses - 1), LONGEST_PAUSE_S) if pauses else 0.0)
        self.over = stopping
        self.code = EXIT_FORCED if stopping else 0
        if report.error is not None:
            self.error = _error(report.error, code)
        elif report.ready:
            self.error = None
        elif self.quick_deaths >= GIVE_UP_AFTER:
            self.error = _error(f"the worker processes end before they have started: {how}", 1)
        return how


def _in_words(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def _error(text: str, code: int) -> QueuectlError:
    error = QueuectlError(text)
    error.exit_code = code
    return error
