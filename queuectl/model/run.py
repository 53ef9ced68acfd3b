"""A run: what a job of a spec did last, for charts."""

from __future__ import annotations

import msgspec

from queuectl.model.states import JobState, Outcome


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """The last attempt of a job."""

    spec: str
    id: int
    """Of the job."""
    state: JobState
    """Of the job."""
    outcome: Outcome | None
    """None: it runs."""
    started_at: int
    finished_at: int | None
