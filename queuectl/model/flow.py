"""Flows: the jobs that one trigger makes at once, some of which need others."""

from __future__ import annotations

from typing import Literal

import msgspec

Ends = Literal["completed", "dead", "finished"]
"""How what is needed has to end; `finished`: in any way."""


class Need(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a spec needs: that the job of another one has ended so."""

    job: str
    """The other spec."""
    on: Ends = "completed"

    def __str__(self) -> str:
        """`load`, or `load (dead)`."""
        return self.job if self.on == "completed" else f"{self.job} ({self.on})"


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """When a job of a flow ran."""

    started_at: int
    """Of its first attempt."""
    took_ms: int | None = None
    """Its last attempt; None while that runs."""


class JobNeed(msgspec.Struct, frozen=True, kw_only=True):
    """What a job needs."""

    job_id: int
    """Whose need it is."""
    needs_id: int | None = None
    """The job that it needs; None: the next one of `spec`, which isn't made yet."""
    spec: str | None = None
    ends: Ends = "completed"
    met: bool = False
