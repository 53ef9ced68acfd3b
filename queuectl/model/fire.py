"""Rows of the ledger of fires, and stored specs."""

from __future__ import annotations

from typing import Literal

import msgspec

from queuectl.model.spec import JobSpec
from queuectl.model.states import FireOutcome


class Fire(msgspec.Struct, frozen=True, kw_only=True):
    """One due instant of a schedule and what became of it; or a stretch of them (`until`, `count`)."""

    spec: str
    due_at: int
    """The instant before jitter."""
    until: int | None = None
    """Last instant of a stretch."""
    count: int = 1
    outcome: FireOutcome
    job_id: int | None = None
    reason: str | None = None


class StoredSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A spec as it was last applied, and the state of its schedule."""

    spec: JobSpec
    source: str
    file: str
    version: int
    apply_id: int
    created_at: int
    """First apply: `every` counts from here."""
    updated_at: int
    next_due_at: int | None
    """The next due instant before jitter; None without a schedule, or when it never fires again."""
    next_fire_at: int | None
    """`next_due_at` plus the spec's jitter."""
    last_fire_at: int | None
    paused_at: int | None
    """Paused by hand (`spec pause`), apart from `paused: true` in the file."""
    paused_by: str | None
    pause_reason: str | None = None
    """What was said when it was paused by hand."""
    orphaned: bool
    """Not in the files of its source any more, as the latest apply saw."""
    pruned_at: int | None
    """Gone from the files and pruned; kept so that what has run is remembered."""
    done_digest: str | None
    """Of a spec without a schedule: `rules.identity.digest` of what its latest job was made for."""
    last_job_id: int | None
    damage: str | None = None
    """Why it can't be read, for people; `spec` is then one that runs nothing, and never. None: it can."""

    @property
    def name(self) -> str:
        """The spec's name."""
        return self.spec.name or ""

    @property
    def paused(self) -> bool:
        """Whether its schedule makes no jobs, for either reason."""
        return self.spec.paused or self.paused_at is not None


SpecKind = Literal["scheduled", "paused", "orphaned"]
"""What specs can be picked by; `scheduled`: it fires again."""


class SpecCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many specs there are, all in all and of each kind."""

    specs: int
    scheduled: int
    paused: int
    orphaned: int


class SpecVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A spec as it was at a version, and the apply that brought it."""

    version: int
    spec: JobSpec | None
    """None: it can't be read any more."""
    at: int
    who: str
    source: str
    git_commit: str | None
    git_dirty: bool | None


class Apply(msgspec.Struct, frozen=True, kw_only=True):
    """Who applied what, when, from which commit."""

    id: int
    at: int
    who: str
    source: str
    git_commit: str | None
    git_dirty: bool | None
