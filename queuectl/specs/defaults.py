"""Defaults of files and folders under a job's own fields."""

from __future__ import annotations

from queuectl.specs.places import PlacedDict

MERGED_BY_KEY = frozenset({"env", "labels", "backoff", "keep"})
"""Any other field is replaced as a whole."""

_TIMED = frozenset({"schedule", "run_at", "paused"})
"""What a job that needs others can't have."""
_OTHER = {"schedule": "run_at", "run_at": "schedule"}


def with_defaults(own: PlacedDict, defaults: PlacedDict | None) -> PlacedDict:
    """`own` with what `defaults` add to it; neither is changed.

    A default gives way to what excludes it: a schedule to the job's own run_at and the other way round, a shell to
    a command that is a list, a schedule to needs.
    """
    if not defaults:
        return own
    merged = own.copied()
    for key, value in defaults.items():
        if "needs" in own and key in _TIMED:
            continue
        if _OTHER.get(key) in own or (key == "shell" and isinstance(own.get("command"), list)):
            continue
        if key not in merged:
            merged.put(key, value, defaults.keys_at[key], defaults.values_at[key])
        elif key in MERGED_BY_KEY:
            inner: PlacedDict = merged[key].copied()
            inner.inherit(value)
            merged[key] = inner
    return merged
