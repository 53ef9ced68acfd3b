"""What applying some specs would change: pure, so that a dry run and an apply can't differ."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from queuectl.model.config import Config
from queuectl.model.errors import ConflictError
from queuectl.model.fire import StoredSpec
from queuectl.model.job import Job
from queuectl.model.spec import JobSpec, LoadedSpec, schedule_zone
from queuectl.rules.changes import Change, changes
from queuectl.rules.needs import refuse_faults, users
from queuectl.rules.once import NO_STEP, JobStep, step_of
from queuectl.rules.params import has_to_be_set

_NAMED_AT_MOST = 5


class PlannedSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A spec that is created or updated."""

    spec: JobSpec
    file: str
    held: StoredSpec | None = None
    """As the queue has it; also one that was pruned once."""
    changes: tuple[Change, ...] = ()
    """Of an update; `file` and `source` among them where the spec moves."""
    zone: str
    """Name of the time zone of its schedule."""
    next_due_at: int | None = None
    next_fire_at: int | None = None
    """The next due instant with the spec's jitter; None without a schedule."""
    is_retimed: bool = False
    """Its instants are others than before: the next one was reckoned from now."""
    job: JobStep = NO_STEP
    """What becomes of the job of a spec without a schedule."""

    @property
    def name(self) -> str:
        """The spec's name."""
        return self.spec.name or ""

    @property
    def is_moved_only(self) -> bool:
        """The spec itself is the same, only its file or its source is another."""
        held = self.held
        return held is not None and held.pruned_at is None and not held.damage and held.spec == self.spec

    def with_next_due(self, due_at: int | None) -> PlannedSpec:
        """Return it with another next due instant, and the fire that follows from that."""
        return replace(self, next_due_at=due_at, next_fire_at=_with_jitter(self.spec, due_at))

    @property
    def words(self) -> str | None:
        """Its schedule in words, None without one."""
        from queuectl.rules.schedule import describe_schedule  # noqa: PLC0415  only where it is shown

        return describe_schedule(self.spec.schedule, self.zone) if self.spec.schedule else None

    @property
    def job_action(self) -> str | None:
        """What becomes of its job, for people: `runs once now`, `job 12 goes back to pending`."""
        if self.spec.needs:
            return f"runs after {', '.join(map(str, self.spec.needs))}"
        if has_to_be_set(self.spec):
            return "runs when it is triggered with --set"
        return str(self.job) or None


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that an apply does; each part by name."""

    source: str
    is_part: bool = False
    """The files are some of the source's: the rest of it stays as it is."""
    created: tuple[PlannedSpec, ...] = ()
    updated: tuple[PlannedSpec, ...] = ()
    unchanged: int = 0
    orphaned: tuple[str, ...] = ()
    """Held by the source, not in its files; they go on running."""
    pruned: tuple[str, ...] = ()
    """The same, but they are to go: waiting jobs are cancelled, running ones finish, history stays."""
    newly_orphaned: tuple[str, ...] = ()
    """Those of the orphaned that were in the files at the last apply."""
    ignored: tuple[str, ...] = ()
    """Files that are no spec files by their ending."""
    warnings: tuple[str, ...] = ()

    @property
    def depends_on_jobs(self) -> bool:
        """Whether it was planned from jobs, too, which others may change at any time."""
        return any(one.spec.schedule is None for one in (*self.created, *self.updated))

    @property
    def changes_anything(self) -> bool:
        """Whether the queue would differ afterwards; that something is orphaned doesn't change what runs."""
        return bool(self.created or self.updated or self.pruned)


def plan(
    loaded: Sequence[LoadedSpec],
    held: Mapping[str, StoredSpec],
    *,
    source: str,
    config: Config,
    now: int,
    last_jobs: Mapping[str, Job],
    is_part: bool = False,
    prune: bool = False,
    adopt: bool = False,
) -> Plan:
    """Return what makes the queue match `loaded`.

    `held` are all specs of the queue by name, pruned ones too; `last_jobs` the last job of those that have one.
    With `is_part` the files are some of the source's: no other spec is orphaned or pruned.
    ConflictError when a name belongs to another source, unless it is to be adopted.
    """
    if not adopt:
        _refuse_names_of_others(loaded, held, source)
    gone = [] if is_part else _not_in_files(loaded, held, source)
    _check_needs(loaded, held, {stored.name for stored in gone} if prune else set())
    ordered = sorted(loaded, key=lambda one: one.spec.name or "")
    planner = _Planner(held, source, config, now, last_jobs, is_part)
    created = [planner.created(one) for one in ordered if _is_new(one, held)]
    known = [(one, held[one.spec.name or ""]) for one in ordered if not _is_new(one, held)]
    updated = [planner.updated(one, stored) for one, stored in known]
    return Plan(
        source=source,
        is_part=is_part,
        created=tuple(created),
        updated=tuple(planned for planned in updated if planned is not None),
        unchanged=updated.count(None),
        orphaned=() if prune else tuple(stored.name for stored in gone),
        newly_orphaned=() if prune else tuple(stored.name for stored in gone if not stored.orphaned),
        pruned=tuple(stored.name for stored in gone) if prune else (),
    )


def _refuse_names_of_others(
    loaded: Sequence[LoadedSpec], held: Mapping[str, StoredSpec], source: str
) -> None:
    names = [one.spec.name or "" for one in loaded if not _is_new(one, held)]
    foreign = sorted(name for name in names if held[name].source != source)
    if not foreign:
        return
    owners = sorted({held[name].source for name in foreign})
    more = f" and {len(foreign) - _NAMED_AT_MOST} more" if len(foreign) > _NAMED_AT_MOST else ""
    named = ", ".join(f"'{name}'" for name in foreign[:_NAMED_AT_MOST]) + more
    raise ConflictError(
        f"{named}: held by the source {' and '.join(repr(owner) for owner in owners)}, not by '{source}'; "
        f"--adopt moves {'it' if len(foreign) == 1 else 'them'} here, --source names the one that is meant"
    )


def _check_needs(
    loaded: Sequence[LoadedSpec], held: Mapping[str, StoredSpec], pruned: Collection[str]
) -> None:
    live = {stored.name: stored for stored in held.values() if stored.pruned_at is None}
    there = {one.spec.name for one in loaded}
    others = {name: stored.spec for name, stored in live.items() if name not in pruned and name not in there}
    refuse_faults(loaded, others)
    for name in sorted(pruned):
        if by := users(name, others):
            raise ConflictError(f"'{name}' can't be pruned: '{by[0]}' ({live[by[0]].file}) needs it")


def _is_new(one: LoadedSpec, held: Mapping[str, StoredSpec]) -> bool:
    stored = held.get(one.spec.name or "")
    return stored is None or stored.pruned_at is not None


def _not_in_files(
    loaded: Sequence[LoadedSpec], held: Mapping[str, StoredSpec], source: str
) -> list[StoredSpec]:
    there = {one.spec.name for one in loaded}
    mine = (stored for stored in held.values() if stored.source == source and stored.pruned_at is None)
    return sorted((stored for stored in mine if stored.name not in there), key=lambda stored: stored.name)


class _Planner(msgspec.Struct, frozen=True):
    held: Mapping[str, StoredSpec]
    source: str
    config: Config
    now: int
    last_jobs: Mapping[str, Job]
    is_part: bool

    def created(self, one: LoadedSpec) -> PlannedSpec:
        return self._planned(one, self.held.get(one.spec.name or ""), (), is_retimed=True)

    def updated(self, one: LoadedSpec, stored: StoredSpec) -> PlannedSpec | None:
        """Plan an update; None where nothing changes."""
        found = (*([] if stored.damage else changes(stored.spec, one.spec)), *self._moves(one, stored))
        if not found and not stored.orphaned:
            return None
        return self._planned(one, stored, found, is_retimed=self._is_retimed(one.spec, stored))

    def _moves(self, one: LoadedSpec, stored: StoredSpec) -> list[Change]:
        moves = []
        if self.source != stored.source:
            moves.append(Change(field="source", old=stored.source, new=self.source))
        if self._file(one, stored) != stored.file:
            moves.append(Change(field="file", old=stored.file, new=one.file))
        if stored.orphaned:
            moves.append(Change(field="orphaned", old="true", new="false"))
        if stored.damage:
            moves.append(Change(field="damaged", old="true", new="false"))
        return moves

    def _is_retimed(self, spec: JobSpec, stored: StoredSpec) -> bool:
        """A damaged one goes on from where it stood: when it was due otherwise, nobody can tell any more."""
        if stored.damage:
            return (spec.schedule is None) != (stored.next_due_at is None)
        return self._timing(spec) != self._timing(stored.spec)

    def _file(self, one: LoadedSpec, stored: StoredSpec) -> str:
        """Where only part of the source is applied, the same file may be shown with fewer folders in front."""
        is_same = self.is_part and f"/{stored.file}".endswith(f"/{one.file}")
        return stored.file if is_same else one.file

    def _planned(
        self, one: LoadedSpec, stored: StoredSpec | None, found: tuple[Change, ...], *, is_retimed: bool
    ) -> PlannedSpec:
        spec = one.spec
        next_due = stored.next_due_at if stored and not is_retimed else self._first_due(spec, stored)
        return PlannedSpec(
            spec=spec,
            file=self._file(one, stored) if stored else one.file,
            held=stored,
            changes=found,
            zone=schedule_zone(spec, self.config.timezone),
            next_due_at=next_due,
            next_fire_at=_with_jitter(spec, next_due),
            is_retimed=is_retimed,
            job=step_of(
                spec,
                done=stored.done_digest if stored else None,
                last=self.last_jobs.get(spec.name or ""),
                now=self.now,
            ),
        )

    def _first_due(self, spec: JobSpec, stored: StoredSpec | None) -> int | None:
        """Return the first due instant after now; `every` is due at its first apply itself."""
        if spec.schedule is None:
            return None
        if stored is None and spec.schedule.every_ms is not None:
            return self.now
        from queuectl.rules.schedule import next_due  # noqa: PLC0415  the same

        return next_due(
            spec.schedule,
            anchor_ms=stored.created_at if stored else self.now,
            zone=schedule_zone(spec, self.config.timezone),
            after_ms=self.now,
        )

    def _timing(self, spec: JobSpec) -> object:
        """What decides when a spec is due, jitter apart."""
        schedule = spec.schedule
        return schedule and (schedule.cron, schedule.every_ms, schedule_zone(spec, self.config.timezone))


def _with_jitter(spec: JobSpec, due_at: int | None) -> int | None:
    if spec.schedule is None or due_at is None:
        return None
    if not spec.schedule.jitter_ms:
        return due_at
    from queuectl.rules.schedule import jitter_offset  # noqa: PLC0415

    return due_at + jitter_offset(spec.schedule, spec.name or "")
