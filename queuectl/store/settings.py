"""Settings: what `config set` keeps in the queue itself."""

from __future__ import annotations

from queuectl.store.database import Database, Row
from queuectl.store.rows import damaged, readable


class Settings:
    """Configuration values as they were written, by key."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def all(self) -> dict[str, str]:
        """Return what is set."""
        return dict(readable(self._db, self._db.run("settings"), _setting))

    def set(self, key: str, value: str) -> None:
        """Set a key, or replace it."""
        self._db.run("set_setting", key=key, value=value)

    def unset(self, key: str) -> bool:
        """Forget a key. False when it wasn't set."""
        return bool(self._db.run("unset_setting", key=key))

    def reset(self) -> int:
        """Forget all keys. Returns how many there were."""
        return len(self._db.run("forget_settings"))


def _setting(row: Row) -> tuple[str, str]:
    key, value = row["key"], row["value"]
    if not isinstance(key, str) or not isinstance(value, str):
        raise damaged(f"setting {key!r}", ValueError("it is no text"), "`queuectl config unset` forgets it")
    return key, value
