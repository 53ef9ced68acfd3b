"""When a worker makes way for a job that must run alone."""

from __future__ import annotations

PATIENCE_MS = 30_000
"""How long such a job is overtaken at first: another worker may be idle, or soon is."""


def makes_way(waited_ms: int) -> bool:
    """Tell whether a busy worker claims nothing, to come to an end with what it runs.

    By turns: others overtake for 30 s, then it makes way for 30 s, they overtake for 60 s, it makes way for 120 s, and
    so on. However long its attempts take, one of its turns is longer; and nobody else's work stands still for ever.

    >>> [makes_way(seconds * 1000) for seconds in (0, 29, 30, 59, 60, 119, 120, 239, 240)]
    [False, False, True, True, False, False, True, True, False]
    """
    return (max(0, waited_ms) // PATIENCE_MS).bit_length() % 2 == 1
