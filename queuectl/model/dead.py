"""Dead letters: what is looked at to see which of them are alike."""

from __future__ import annotations

import msgspec


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A dead job, in short."""

    id: int
    spec: str | None
    command: str | None
    """The beginning of it, where there is no spec."""
    reason: str | None
    at: int
    """When it died."""
