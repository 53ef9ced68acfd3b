"""Alike: reasons and commands without what differs from job to job, so that those of one kind can be told together."""

from __future__ import annotations

import re
from functools import lru_cache

from queuectl.rules.visible import visible

_TRIES = re.compile(r", after (?:1 attempt|\d+ failures)$")
_KEPT = r"(?:exit code|errno) \d+|\[Errno \d+\]"
_DIFFERS = (
    r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"  # a UUID
    r"|(?:/var)?/tmp/[^\s'\",;:)]+"  # a name that was made up
    r"|\b0x[0-9a-f]+\b"
    r"|\b(?=[a-f]*\d)[0-9a-f]{7,}\b"  # a digest, a commit
    r"|\d+(?:[.,:T-]\d+)*Z?"  # a number, a date, a time, a version
)
_PLACES = re.compile(f"(?P<kept>{_KEPT})|(?:{_DIFFERS})", re.IGNORECASE)
LONGEST = 300
"""Characters that are looked at."""


@lru_cache(maxsize=8192)
def alike(text: str) -> str:
    """Return a text in one line with `…` for numbers, times, digests and temporary names. Exit codes stay.

    >>> alike("exit code 3, after 4 failures")
    'exit code 3'
    >>> alike("could not start: [Errno 2] No such file or directory: '/tmp/job-a8x/run'")
    "could not start: [Errno 2] No such file or directory: '…'"
    >>> alike("convert photo-0017.png 2026-11-24T02:00:00Z")
    'convert photo-….png …'
    """
    plain = visible(" ".join(text[:LONGEST].split()))
    return _PLACES.sub(lambda found: found["kept"] or "…", _TRIES.sub("", plain))
