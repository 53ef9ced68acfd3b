"""Specs as they were last applied, their versions, and the state of their schedules."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from queuectl.model.errors import StoreInvalidError
from queuectl.model.fire import Apply, StoredSpec
from queuectl.model.spec import JobSpec
from queuectl.store.database import Database, Row

_encode = msgspec.json.Encoder(order="deterministic").encode
_decode = msgspec.json.Decoder(JobSpec).decode


class Specs:
    """The specs of the queue."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def list(self, *, pruned: bool = False) -> list[StoredSpec]:
        """Return the specs by name; with `pruned` also those that are gone."""
        return [_stored(row) for row in self._db.run("all_specs" if pruned else "specs")]

    def get(self, name: str) -> StoredSpec | None:
        """Return a spec, pruned ones too."""
        rows = self._db.run("spec", name=name)
        return _stored(rows[0]) if rows else None

    def record_apply(
        self, *, at: int, who: str, source: str, git_commit: str | None, git_dirty: bool | None
    ) -> int:
        """Note who applies what; the id goes to the specs that change."""
        dirty = None if git_dirty is None else int(git_dirty)
        rows = self._db.run(
            "record_apply", at=at, who=who, source=source, git_commit=git_commit, git_dirty=dirty
        )
        return int(rows[0]["id"])

    def apply_record(self, apply_id: int) -> Apply | None:
        """Return who applied what."""
        rows = self._db.run("apply_record", id=apply_id)
        return Apply(**{**rows[0], "git_dirty": _boolean(rows[0]["git_dirty"])}) if rows else None

    def write(
        self,
        spec: JobSpec,
        *,
        source: str,
        file: str,
        apply_id: int,
        next_due_at: int | None,
        next_fire_at: int | None,
        now: int,
    ) -> int:
        """Nothing → version 1; any version, pruned or not → the next one. Returns the version."""
        body = _encode(spec).decode()
        with self._db.transaction():
            rows = self._db.run(
                "write_spec",
                name=spec.name,
                source=source,
                file=file,
                body=body,
                apply_id=apply_id,
                next_due_at=next_due_at,
                next_fire_at=next_fire_at,
                now=now,
            )
            version = int(rows[0]["version"])
            self._db.run(
                "record_spec_version", spec=spec.name, version=version, body=body, apply_id=apply_id, at=now
            )
        return version

    def version(self, name: str, version: int) -> tuple[JobSpec, int] | None:
        """Return a spec as it was at a version, and the id of the apply that brought it."""
        rows = self._db.run("spec_version", spec=name, version=version)
        return (_spec(name, rows[0]["body"]), rows[0]["apply_id"]) if rows else None

    def move(self, name: str, *, source: str, file: str) -> None:
        """Same spec, another file or source."""
        self._db.run("move_spec", name=name, source=source, file=file)

    def orphan(self, name: str) -> None:
        """Note that the files hold this spec no more; it goes on running."""
        self._db.run("orphan_spec", name=name)

    def prune(self, name: str, *, now: int) -> bool:
        """Live → pruned: it fires no more, and is kept only so that what it ran is remembered."""
        return bool(self._db.run("prune_spec", name=name, now=now))

    def due(self, *, now: int, limit: int = 1000) -> Sequence[StoredSpec]:
        """Return the specs whose next fire (jitter included) is due, longest due first."""
        return [_stored(row) for row in self._db.run("due_specs", now=now, limit=limit)]

    def coming(self, limit: int) -> Sequence[StoredSpec]:
        """Return the specs that fire next, soonest first."""
        return [_stored(row) for row in self._db.run("next_fires", limit=limit)]

    def advance(
        self,
        name: str,
        *,
        expected_due_at: int | None,
        next_due_at: int | None,
        next_fire_at: int | None,
        fired_at: int | None,
    ) -> bool:
        """Move a schedule on. False when somebody else moved it meanwhile."""
        return bool(
            self._db.run(
                "advance_spec",
                name=name,
                expected_due_at=expected_due_at,
                next_due_at=next_due_at,
                next_fire_at=next_fire_at,
                fired_at=fired_at,
            )
        )

    def pause(self, name: str, *, who: str, now: int) -> bool:
        """Running → paused by hand. False when it is paused already."""
        return bool(self._db.run("pause_spec", name=name, who=who, now=now))

    def resume(self, name: str) -> bool:
        """Paused by hand → running. False when it isn't paused."""
        return bool(self._db.run("resume_spec", name=name))

    def mark_done(self, name: str, *, digest: str, job_id: int) -> None:
        """Remember what a spec without a schedule made its latest job for."""
        self._db.run("mark_done", name=name, digest=digest, job_id=job_id)

    def forget_done(self, name: str) -> None:
        """Forget what a spec without a schedule made its latest job for: that job was taken back unrun."""
        self._db.run("forget_done", name=name)


def _spec(name: str, body: str) -> JobSpec:
    try:
        return _decode(body)
    except msgspec.MsgspecError as error:
        raise StoreInvalidError(
            f"spec {name} is damaged in the database: {error}; apply its file again"
        ) from None


def _stored(row: Row) -> StoredSpec:
    kept = {key: value for key, value in row.items() if key not in {"name", "body", "orphaned"}}
    return StoredSpec(spec=_spec(row["name"], row["body"]), orphaned=bool(row["orphaned"]), **kept)


def _boolean(value: int | None) -> bool | None:
    return None if value is None else bool(value)
