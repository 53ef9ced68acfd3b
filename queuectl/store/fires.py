"""The ledger of fires: every due instant of every schedule, and what became of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from queuectl.model.fire import Fire
from queuectl.store.database import Database, Row
from queuectl.store.rows import damaged, readable

_EVER = -(2**63)
_FOREVER = 2**63 - 1


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

    def record_all(self, fires: Sequence[Fire]) -> Collection[tuple[str, int]]:
        """Enter single due instants. Returns the spec and instant of those that weren't in the ledger already."""
        if not fires:
            return set()
        rows = [(fire.spec, fire.due_at, fire.outcome, fire.reason) for fire in fires]
        return {(row["spec"], row["due_at"]) for row in self._db.run("record_fires", fires=_json(rows))}

    def overwrite(self, fire: Fire, *, following: int) -> None:
        """Enter a due instant, whatever became of it before; a stretch from it on begins at the `following` one."""
        with self._db.transaction():
            self._db.run("forget_fire", spec=fire.spec, due_at=fire.due_at)
            self._db.run("shorten_stretch", spec=fire.spec, due_at=fire.due_at, following=following)
            self.record(fire)

    def link(self, fire: Fire) -> None:
        """Say what became of an instant that was entered in this transaction."""
        self.link_all([fire])

    def link_all(self, fires: Sequence[Fire]) -> None:
        """As `link`, each of them."""
        if fires:
            rows = [(fire.spec, fire.due_at, fire.job_id, fire.outcome, fire.reason) for fire in fires]
            self._db.run("link_fires", fires=_json(rows))

    def extend(self, fire: Fire) -> None:
        """Enter a stretch; where the spec's latest row is a stretch of the same outcome, that one grows."""
        with self._db.transaction():
            rows = self._db.run("latest_fire", spec=fire.spec)
            latest = next(iter(readable(self._db, rows, _fire)), None)
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

    def list(
        self,
        *,
        spec: str | None = None,
        since: int | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> list[Fire]:
        """Return the ledger, newest first: what was due before `before`; `since` leaves out what was over before."""
        bounds: Row = {
            "since": _EVER if since is None else since,
            "before": _FOREVER if before is None else before,
            "limit": limit,
        }
        if spec is None:
            rows = self._db.run("list_fires", **bounds)
        else:
            rows = self._db.run("list_fires_of_spec", spec=spec, **bounds)
        if since is not None and len(rows) < limit:  # what began before comes last
            stretches = self._db.run("stretches_since", spec=spec, since=since)
            rows += sorted(stretches, key=lambda row: (-row["due_at"], row["spec"]))[: limit - len(rows)]
        return readable(self._db, rows, _fire)


def _fire(row: Row) -> Fire:
    try:
        return msgspec.convert(row, Fire)
    except ValueError as error:
        raise damaged(f"fire {row['due_at']} of spec {row['spec']}", error) from None


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
