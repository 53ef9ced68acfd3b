"""Counts of attempts that ended in a stretch of time."""

from __future__ import annotations

import msgspec


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """Attempts of about the same duration: less than 2 to the `power` ms, and at least half of that."""

    at: int
    """When the stretch begins."""
    power: int
    succeeded: int
    failed: int
