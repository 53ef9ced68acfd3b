"""Values that are read when an attempt starts."""

from __future__ import annotations

import msgspec


class EnvRef(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A secret's place: resolved when an attempt starts, never stored. Exactly one of the two is set."""

    from_env: str | None = None
    """Name of a variable in the worker's environment."""
    from_file: str | None = None
    """Absolute path of a file; its content without a final newline is the value."""
