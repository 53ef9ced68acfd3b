"""Sees that a quarantined job has its turn, also on a worker that is never idle."""

from __future__ import annotations

from collections.abc import Sequence

from queuectl.engine.held import HeldAttempt
from queuectl.rules.quarantine import makes_way


class Quarantine:
    """Decides whether others may overtake a job that workers died under, and that therefore waits for an idle worker.

    Where there always is something else to do, no worker ever is. So a worker makes way for such a job, by turns, when
    it has waited for a while (`makes_way`); each worker by its own monotonic clock. One that runs something without a
    timeout does not: that may never end. A job that waits on nothing but such workers goes on waiting, until one is
    started that is idle, or until it is retried by hand, which ends the quarantine.
    """

    def __init__(self) -> None:
        self._waits: tuple[int, int] | None = None
        """The job whose turn it is, and since when it has been overtaken."""

    def may_overtake(self, job_id: int, running: Sequence[HeldAttempt], mono: int) -> bool:
        """Tell whether others may be claimed before this job, while this worker runs something."""
        if self._waits is None or self._waits[0] != job_id:
            self._waits = job_id, mono
        unbounded = any(not isinstance(held.job.frozen.timeout_ms, int) for held in running)
        return unbounded or not makes_way(mono - self._waits[1])
