"""Minutes: how many attempts ended in each, and how long they took."""

from __future__ import annotations

from collections.abc import Sequence

from queuectl.model.states import Outcome
from queuectl.model.tally import Tally
from queuectl.store.database import Database

MINUTE_MS = 60_000
COARSE_MS = 120 * MINUTE_MS
"""The step of what is older than FINE_MS."""
FINE_MS, KEPT_MS = 25 * 3_600_000, 8 * 86_400_000
_FAILURES = frozenset(
    {Outcome.FAILED, Outcome.SIGNALLED, Outcome.TIMED_OUT, Outcome.SPAWN_FAILED, Outcome.LOST}
)


class Minutes:
    """Counts, so that nobody has to look at all attempts."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def note(self, outcome: Outcome, duration_ms: int, *, now: int) -> None:
        """Count an attempt that has ended; one that was stopped or sent back is neither a success nor a failure."""
        succeeded, failed = outcome is Outcome.SUCCEEDED, outcome in _FAILURES
        if succeeded or failed:
            self._db.run(
                "tally",
                at=now // MINUTE_MS * MINUTE_MS,
                power=max(0, duration_ms).bit_length(),
                succeeded=int(succeeded),
                failed=int(failed),
            )

    def since(self, since: int, *, step_ms: int) -> Sequence[Tally]:
        """Return the counts from an instant on, in steps of whole minutes, oldest first."""
        return [Tally(**row) for row in self._db.run("minutes_since", since=since, step=step_ms)]

    def forget(self, *, now: int) -> None:
        """Keep only sums of what is older than a day, as a week shows them; delete what is older than that."""
        self._db.run("forget_minutes", before=now - KEPT_MS)
        old = {"before": (now - FINE_MS) // COARSE_MS * COARSE_MS, "step": COARSE_MS}
        with self._db.transaction():
            self._db.run("sum_up_minutes", **old)
            self._db.run("forget_summed_up", **old)
