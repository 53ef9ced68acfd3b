"""Settings: what `config set` keeps in the queue itself."""

from __future__ import annotations

from queuectl.store.database import Database


class Settings:
    """Configuration values as they were written, by key."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def all(self) -> dict[str, str]:
        """Return what is set."""
        return {row["key"]: row["value"] for row in self._db.run("settings")}

    def set(self, key: str, value: str) -> None:
        """Set a key, or replace it."""
        self._db.run("set_setting", key=key, value=value)

    def unset(self, key: str) -> bool:
        """Forget a key. False when it wasn't set."""
        return bool(self._db.run("unset_setting", key=key))

    def reset(self) -> int:
        """Forget all keys. Returns how many there were."""
        return len(self._db.run("forget_settings"))
