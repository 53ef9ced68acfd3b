"""The keys of the configuration, as they are written on the command line."""

from __future__ import annotations

from queuectl.model.config import KEYS as FIELDS

KEYS: dict[str, str] = {name.replace("_", "-"): key.meaning for name, key in FIELDS.items()}
"""Key → what it means."""
OTHER_NAMES = frozenset({"timeout"})
"""Words for keys that people bring from elsewhere."""


def key_named(word: str) -> str | None:
    """Return the key that a word names, `-` or `_`, any case; None when there is none."""
    plain = word.lower().replace("_", "-")
    return plain if plain in KEYS or plain in OTHER_NAMES else None
