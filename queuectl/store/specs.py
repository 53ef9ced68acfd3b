"""Specs as they were last applied, their versions, and the state of their schedules."""

from __future__ import annotations

import builtins
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import Any

import msgspec

from queuectl.model.errors import StoreInvalidError
from queuectl.model.fire import Apply, SpecCounts, SpecKind, SpecVersion, StoredSpec
from queuectl.model.job import NewJob
from queuectl.model.spec import JobSpec
from queuectl.store.database import Database, Row
from queuectl.store.jobs import gate_columns
from queuectl.store.listing import LAST_CHARACTER
from queuectl.store.rows import damaged, readable

_encode = msgspec.json.Encoder(order="deterministic").encode
_decode: Callable[[str], JobSpec] = partial(msgspec.json.decode, type=JobSpec)
_LAST = 2**63 - 1
_WAY_OUT = "it makes no jobs until its file is applied again"
_decode_places = msgspec.json.Decoder(tuple[tuple[str, int, int], ...]).decode


class WrittenSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A spec that is created or changed."""

    spec: JobSpec
    file: str
    next_due_at: int | None
    next_fire_at: int | None


class Advance(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """How a schedule moves on."""

    name: str
    expected_due_at: int | None
    """Where it stands; when it doesn't, somebody else moved it."""
    next_due_at: int | None
    next_fire_at: int | None
    fired_at: int | None
    """The latest instant that made a job; None: none did."""
    anchor: int | None = None
    """From where `every` counts anew; None: from where it did."""


class RememberedFile(msgspec.Struct, frozen=True, kw_only=True):
    """What a spec file said when it was last read."""

    path: str
    digest: str
    """Of all that its meaning depends on."""
    specs: tuple[tuple[str, int, int], ...]
    """Name, version and line of each."""


class Specs:
    """The specs of the queue."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def list(self, *, pruned: bool = False) -> list[StoredSpec]:
        """Return the specs by name; with `pruned` also those that are gone."""
        return self._read(self._db.run("all_specs" if pruned else "specs"))

    def names(self) -> Sequence[str]:
        """Return the names of all specs but the pruned ones."""
        return [row["name"] for row in self._db.run("spec_names")]

    def after(self, name: str, *, limit: int) -> builtins.list[StoredSpec]:
        """Return the specs behind one by name, without the pruned ones."""
        return self._read(self._db.run("specs_after", after=name, limit=limit))

    def page(
        self, *, after: str, limit: int, text: str | None = None, kind: SpecKind | None = None
    ) -> builtins.list[StoredSpec]:
        """Return the specs behind `after` by name: of a kind, and with a text in name, file, description or command."""
        pattern = None if text is None else _pattern(text)
        return self._read(self._db.run("specs_page", after=after, text=pattern, kind=kind, limit=limit))

    def counts(self) -> SpecCounts:
        """Return how many specs there are."""
        return SpecCounts(**self._db.run("count_specs")[0])

    def versions(self, name: str, *, newest: int | None = None, limit: int) -> builtins.list[SpecVersion]:
        """Return versions of a spec, pruned or not: from `newest` down, else all."""
        rows = self._db.run("versions_of_spec", spec=name, newest=newest or _LAST, limit=limit)
        return [_version(name, row) for row in rows]

    def get(self, name: str) -> StoredSpec | None:
        """Return a spec, pruned ones too; of a damaged one `damage` says so."""
        rows = self._db.run("spec", name=name)
        return _stored(rows[0]) if rows else None

    def names_like(self, start: str, *, limit: int) -> Sequence[str]:
        """Return names of specs, pruned ones too, that begin so."""
        rows = self._db.run("names_of_specs_between", low=start, high=start + LAST_CHARACTER, limit=limit)
        return [row["name"] for row in rows]

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
        one = WrittenSpec(spec=spec, file=file, next_due_at=next_due_at, next_fire_at=next_fire_at)
        (version,) = self.write_all([one], source=source, apply_id=apply_id, now=now).values()
        return version

    def write_all(
        self, specs: Sequence[WrittenSpec], *, source: str, apply_id: int, now: int
    ) -> dict[str, int]:
        """As `write`, each of them. Returns the versions by name."""
        rows = [
            (one.spec.name, one.file, _encode(one.spec).decode(), one.next_due_at, one.next_fire_at)
            for one in specs
        ]
        if not rows:
            return {}
        with self._db.transaction():
            written = self._db.run(
                "write_specs", specs=_json(rows), source=source, apply_id=apply_id, now=now
            )
            names = [row[0] for row in rows]
            self._db.run("record_spec_versions", names=_json(names))
            self._write_needs(specs, names)
            self._db.announce()
        return {row["name"]: row["version"] for row in written}

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
        return self._told(self._db.run("prune_spec", name=name, now=now))

    def due(self, *, now: int, limit: int = 1000) -> Sequence[StoredSpec]:
        """Return the specs whose next fire (jitter included) is due, longest due first."""
        return self._read(self._db.run("due_specs", now=now, limit=limit))

    def coming(self, limit: int) -> Sequence[StoredSpec]:
        """Return the specs that fire next, soonest first."""
        return self._read(self._db.run("next_fires", limit=limit))

    def far(self, *, now: int, beyond: int, after: str, limit: int) -> Sequence[StoredSpec]:
        """Return the specs that are due later than `beyond`, or further off than the interval that they count in.

        By name, from the one behind `after` on.
        """
        return self._read(self._db.run("far_specs", now=now, beyond=beyond, after=after, limit=limit))

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
        move = Advance(
            name=name,
            expected_due_at=expected_due_at,
            next_due_at=next_due_at,
            next_fire_at=next_fire_at,
            fired_at=fired_at,
        )
        return bool(self.advance_all([move]))

    def advance_all(self, moves: Sequence[Advance]) -> Collection[str]:
        """As `advance`, each of them. Returns the names of those that were moved on."""
        rows = self._db.run("advance_specs", moves=_json(moves)) if moves else []
        return {row["name"] for row in rows}

    def make_jobs(self, news: Sequence[NewJob], *, now: int) -> dict[tuple[str, int | None], int]:
        """Nothing → each one's `state`. No two are of the same spec and due instant: by these the ids are returned."""
        if not news:
            return {}
        with self._db.transaction():
            for queue in dict.fromkeys(new.frozen.queue for new in news):
                self._db.run("know_queue", name=queue)
            rows = self._db.run("make_jobs_of_specs", jobs=_json([_columns(new) for new in news]), now=now)
            self._db.announce()
        return {(row["spec"], row["fire_at"]): row["id"] for row in rows}

    def with_open_jobs(self, names: Collection[str]) -> set[str]:
        """Return those of the specs that have jobs which aren't final."""
        rows = self._db.run("specs_with_open_jobs", names=_json(names)) if names else []
        return {row["name"] for row in rows}

    def files(self) -> Sequence[RememberedFile]:
        """Return what is remembered of spec files."""
        return readable(self._db, self._db.run("spec_files"), _file)

    def remember_files(self, files: Collection[RememberedFile], *, source: str) -> None:
        """Remember what files of a source said when they were read."""
        rows = [(file.path, file.digest, _json(file.specs)) for file in files]
        self._db.run("remember_spec_files", files=_json(rows), source=source)

    def forget_files_but(self, paths: Collection[str], *, source: str) -> None:
        """Forget the files of a source that aren't among `paths`."""
        self._db.run("forget_spec_files", paths=_json(paths), source=source)

    def pause(self, name: str, *, who: str, now: int, reason: str | None = None) -> bool:
        """Running → paused by hand. False when it is paused already and no (other) reason is given."""
        return self._told(self._db.run("pause_spec", name=name, who=who, reason=reason, now=now))

    def resume(self, name: str) -> bool:
        """Paused by hand → running. False when it isn't paused."""
        return self._told(self._db.run("resume_spec", name=name))

    def mark_done(self, name: str, *, digest: str, job_id: int) -> None:
        """Remember what a spec without a schedule made its latest job for."""
        self.mark_all_done([(name, digest, job_id)])

    def mark_all_done(self, done: Sequence[tuple[str, str, int]]) -> None:
        """As `mark_done`, each of them: name, digest, id of the job."""
        if done:
            self._db.run("mark_done", done=_json(done))

    def forget_done(self, name: str) -> None:
        """Forget what a spec without a schedule made its latest job for: that job was taken back unrun."""
        self._db.run("forget_done", name=name)

    def _write_needs(self, specs: Sequence[WrittenSpec], names: Sequence[str | None]) -> None:
        self._db.run("forget_spec_needs", names=_json(names))
        needs = [(one.spec.name, need.job, need.on) for one in specs for need in one.spec.needs]
        if needs:
            self._db.run("write_spec_needs", needs=_json(needs))

    def below(self, name: str, flow: int) -> Sequence[StoredSpec]:
        """Return the specs that need this one, directly or not, and have no job in a flow yet."""
        return self._read(self._db.run("specs_below", name=name, flow=flow))

    def _read(self, rows: Iterable[Row]) -> builtins.list[StoredSpec]:
        """A spec whose body can't be read is there all the same, and says so; it runs nothing."""
        specs = readable(self._db, rows, _stored)
        for stored in specs:
            if stored.damage:
                self._db.on_damage(stored.damage)
        return specs

    def _told(self, rows: Sequence[Row]) -> bool:
        if rows:
            self._db.announce()
        return bool(rows)


def _version(name: str, row: Row) -> SpecVersion:
    try:
        spec = _spec(name, row["body"])
    except StoreInvalidError:
        spec = None
    dirty = _boolean(row["git_dirty"])
    return SpecVersion(
        **{name: value for name, value in row.items() if name != "body"} | {"git_dirty": dirty, "spec": spec}
    )


def _pattern(text: str) -> str:
    return "%" + re.sub("[!%_]", r"!\g<0>", text.lower()) + "%"


def _spec(name: str, body: str) -> JobSpec:
    try:
        return _decode(body)
    except ValueError as error:
        raise damaged(f"spec {name}", error, _WAY_OUT) from None


def _columns(new: NewJob) -> tuple[Any, ...]:
    frozen = new.frozen
    return (
        new.spec,
        new.spec_version,
        _encode(frozen).decode(),
        new.state,
        frozen.queue,
        frozen.priority,
        new.run_at,
        new.expires_at,
        new.fire_at,
        new.reason,
        new.blocked_by,
        new.flow,
        *gate_columns(frozen).values(),
    )


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _stored(row: Row) -> StoredSpec:
    spec, damage = JobSpec(name=row["name"], command=(), paused=True), None
    try:
        spec = _spec(row["name"], row["body"])
    except StoreInvalidError as error:
        damage = str(error)
    try:
        return msgspec.convert(
            row | {"spec": spec, "orphaned": bool(row["orphaned"]), "damage": damage}, StoredSpec
        )
    except ValueError as error:
        raise damaged(f"spec {row['name']}", error) from None


def _file(row: Row) -> RememberedFile:
    try:
        return msgspec.convert(row | {"specs": _decode_places(row["specs"])}, RememberedFile)
    except ValueError as error:
        raise damaged(
            f"what was remembered of the file {row['path']}", error, "`apply` reads it again"
        ) from None


def _boolean(value: int | None) -> bool | None:
    return None if value is None else bool(value)
