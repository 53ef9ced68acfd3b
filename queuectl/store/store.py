"""The queue: one object with a verb for everything that may happen to it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Self

from queuectl.store.attempts import Attempts
from queuectl.store.counters import Counters
from queuectl.store.database import Database
from queuectl.store.fires import Fires
from queuectl.store.flows import Flows
from queuectl.store.gates import Gates
from queuectl.store.history import History
from queuectl.store.jobs import Jobs
from queuectl.store.minutes import Minutes
from queuectl.store.queues import Queues
from queuectl.store.settings import Settings
from queuectl.store.specs import Specs
from queuectl.store.sqlite import SqliteDatabase
from queuectl.store.workers import Workers


class Store:
    """The queue in a database. Its parts are named for what they hold; each verb says from-state → to-state.

    Every verb is durable when it returns, or when the transaction around it ends. All raise
    StoreUnavailableError (busy, full, read-only) and StoreInvalidError (damaged).
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self.attempts = Attempts(database)
        self.jobs = Jobs(database)
        self.flows = Flows(database)
        self.gates = Gates(database, self.jobs)
        self.history = History(database)
        self.minutes = Minutes(database)
        self.counters = Counters(database)
        self.specs = Specs(database)
        self.fires = Fires(database)
        self.workers = Workers(database)
        self.queues = Queues(database)
        self.settings = Settings(database)

    @classmethod
    def open(cls, path: Path, *, create: bool = True, durability: str = "full") -> Self | None:
        """Open the queue at `path`; a missing one is made, or is None without `create`."""
        database = SqliteDatabase.open(path, create=create, durability=durability)
        return None if database is None else cls(database)

    @classmethod
    def open_to_look(cls, path: Path) -> Self | None:
        """Open the queue at `path` for reading, and change nothing at all; None when there is none."""
        database = SqliteDatabase.open_to_look(path)
        return None if database is None else cls(database)

    @classmethod
    def empty(cls) -> Self:
        """Return a queue with nothing in it, kept nowhere: what there is to see before the first apply."""
        return cls(SqliteDatabase.in_memory())

    def transaction(self) -> AbstractContextManager[None]:
        """Do all or nothing of what the block does."""
        return self.database.transaction()

    def next_deadline(self, *, tried: int | None = None) -> int | None:
        """Return the instant of the next thing that falls due: a job, an expiry, a fire, or a start by its rate.

        `tried`: when all was started that could; a rate that let start then is not what is waited for.
        """
        instants = [
            row["at"]
            for query in ("next_job_deadline", "next_spec_deadline")
            for row in self.database.run(query)
            if row["at"] is not None
        ]
        if (start := self.gates.next_start(tried=tried)) is not None:
            instants.append(start)
        return min(instants, default=None)

    def backup(self, path: Path) -> None:
        """Copy the queue as of one instant, while it is used, to a new file."""
        self.database.backup(str(path))

    def close(self) -> None:
        """Let go of the database."""
        self.database.close()
