"""What an attempt's end leads to."""

from __future__ import annotations

import msgspec

from queuectl.model.states import FINAL, JobState


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """The state that a job goes to when its attempt has ended."""

    state: JobState
    run_at: int | None = None
    """When it is due next, for `failed` and `scheduled`; None leaves it."""
    failures: int
    losses: int
    reason: str | None = None

    @property
    def finished(self) -> bool:
        """Whether the job is final now."""
        return self.state in FINAL
