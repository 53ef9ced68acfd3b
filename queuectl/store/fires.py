"""The ledger of fires: every due instant of every schedule, and what became of it."""

from __future__ import annotations

from queuectl.model.fire import Fire
from queuectl.model.states import FireOutcome
from queuectl.store.database import Database, Row


class Fires:
    """The ledger. (spec, due instant) is unique: however many schedule, an instant is fired once."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def record(self, fire: Fire) -> bool:
        """Enter a due instant, or a stretch of them. False when it is in the ledger already."""
        return bool(
            self._db.run(
                "record_fire",
                spec=fire.spec,
                due_at=fire.due_at,
                until=fire.until,
                count=fire.count,
                outcome=fire.outcome,
                job_id=fire.job_id,
                reason=fire.reason,
            )
        )

    def link(self, fire: Fire) -> None:
        """Say what became of an instant that was entered in this transaction."""
        self._db.run(
            "link_fire",
            spec=fire.spec,
            due_at=fire.due_at,
            job_id=fire.job_id,
            outcome=fire.outcome,
            reason=fire.reason,
        )

    def extend(self, fire: Fire) -> None:
        """Enter a stretch; where the spec's latest row is a stretch of the same outcome, that one grows."""
        with self._db.transaction():
            rows = self._db.run("latest_fire", spec=fire.spec)
            latest = _fire(rows[0]) if rows else None
            if latest and latest.outcome == fire.outcome and latest.due_at < fire.due_at:
                self._db.run(
                    "extend_fire",
                    spec=fire.spec,
                    due_at=latest.due_at,
                    until=fire.until or fire.due_at,
                    count=fire.count,
                    reason=fire.reason,
                )
            else:
                self.record(fire)

    def list(self, *, spec: str | None = None, since: int | None = None, limit: int = 100) -> list[Fire]:
        """Return the ledger, newest first."""
        return [_fire(row) for row in self._db.run("list_fires", spec=spec, since=since, limit=limit)]


def _fire(row: Row) -> Fire:
    return Fire(**{**row, "outcome": FireOutcome(row["outcome"])})
