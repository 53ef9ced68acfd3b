"""Counts that only rise: attempts that ended, whatever is forgotten of them."""

from __future__ import annotations

import msgspec

ENDLESS = 2**62
"""The end of a bucket that has none."""


class EndedCount(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Attempts of a spec with one outcome. There may be several such counts, which add up."""

    spec: str
    """Empty: of ad-hoc jobs."""
    outcome: str
    attempts: int
    last_at: int
    """When the latest ended."""


class BucketCount(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Attempts of a queue that took, or waited, about as long. In ms."""

    queue: str
    le: int
    """Not longer than that, and longer than where the bucket before ends."""
    attempts: int
    ms: int
    """All together."""
