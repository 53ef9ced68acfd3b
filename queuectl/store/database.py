"""What the store's verbs need of a database; each kind of database is a thin driver below this."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

Row = dict[str, Any]


class WakeUps(Protocol):
    """Where a worker hears that there may be something new for it."""

    def fileno(self) -> int:
        """For a selector: readable after a wake-up."""
        ...

    def drain(self) -> None:
        """Forget the wake-ups that have come; those after it make it readable again. Never waits."""
        ...


class Database(Protocol):
    """One connection. Used by one thread of one process."""

    location: str
    """Path or URL, as it may be shown."""
    remarks: list[str]
    """What people should know since it was opened."""
    on_damage: Callable[[str], object]
    """Called with each row that can't be read where several are asked for: it is left out, the others are not."""

    def run(self, query: str, /, **parameters: Any) -> list[Row]:
        """Run a statement of `sql/*.sql` by name and fetch all it returns.

        Outside a transaction it is one of its own. Raises StoreUnavailableError or StoreInvalidError.
        """
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """Write all or nothing; nests into the transaction that is open already."""
        ...

    def announce(self) -> None:
        """Wake the workers of the other connections, once what the transaction did is durable; never if it isn't.

        For what gives them something to do, or to stop. A wake-up may get lost: they look by themselves, too.
        """
        ...

    def listen(self) -> WakeUps:
        """Hear what other connections announce from now on. Raises OSError where that can't be."""
        ...

    def wait_for_lock(self, milliseconds: int | None) -> None:
        """Set how long a statement waits for another writer before it is StoreBusyError. None: as commands do."""
        ...

    def in_place(self) -> bool:
        """Tell whether this is still the queue that others find under its name: not moved, replaced or deleted."""
        ...

    def is_newer(self) -> bool:
        """Tell whether a newer queuectl has changed the schema since the queue was opened."""
        ...

    def wal_bytes(self) -> int:
        """Return the size of the write-ahead log, which grows while somebody reads for long; 0 where there is none."""
        ...

    def backup(self, path: str) -> None:
        """Copy the whole queue, as of one instant, to a new file."""
        ...

    def close(self) -> None:
        """Let go of the database; open transactions are rolled back."""
        ...


def log_warning(text: str) -> None:
    """Log a warning: what is done with one where nobody says otherwise."""
    import logging  # noqa: PLC0415  10 ms, and mostly there is none

    logging.getLogger("queuectl").warning("%s", text)
