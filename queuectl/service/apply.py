"""Apply: make the queue match the spec files, all or nothing; and what that would change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from queuectl.model.config import Config
from queuectl.model.errors import ConflictError
from queuectl.model.fire import StoredSpec
from queuectl.model.job import Job
from queuectl.model.spec import JobSpec, LoadedSpec
from queuectl.rules.plan import Plan
from queuectl.rules.plan import plan as pure_plan
from queuectl.service.carry_out import carry_out
from queuectl.service.context import Context
from queuectl.service.provenance import Provenance, provenance_of
from queuectl.service.sources import Source, source_of

if TYPE_CHECKING:
    from queuectl.specs.load import Loaded


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What an apply did."""

    plan: Plan
    apply_id: int | None
    """Of its record; None when nothing was changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Validated:
    """Spec files that are all right."""

    specs: tuple[LoadedSpec, ...]
    ignored: tuple[str, ...]
    warnings: tuple[str, ...]


def validate(paths: Sequence[Path], config: Config, *, now: int) -> Validated:
    """Read spec files; needs no queue. InvalidSpecError lists everything that is wrong."""
    loaded = _load(paths, config)
    warnings = _warnings(((one.spec, one.file) for one in loaded.specs), config, now)
    return Validated(specs=loaded.specs, ignored=loaded.ignored, warnings=warnings)


def plan(
    ctx: Context,
    paths: Sequence[Path],
    *,
    source: str | None = None,
    prune: bool = False,
    adopt: bool = False,
    allow_empty: bool = False,
) -> Plan:
    """Return what an apply would change, reading only.

    InvalidSpecError lists everything that is wrong in the files; ConflictError for names of another source
    (unless `adopt`), and for a prune without any spec in the files (unless `allow_empty`).
    """
    applying = _Applying(ctx, _load(paths, ctx.config), source, prune, adopt, allow_empty)
    now = ctx.now()
    return _with_warnings(ctx, applying.plan(now), now)


def apply(
    ctx: Context,
    paths: Sequence[Path],
    *,
    source: str | None = None,
    prune: bool = False,
    adopt: bool = False,
    allow_empty: bool = False,
    confirm: Callable[[Plan], bool] | None = None,
) -> Applied:
    """Make the queue match the spec files, in one transaction; errors as in `plan`.

    Files that say what the queue holds change nothing at all. `confirm` is asked before anything is pruned;
    where it says no, nothing is changed.
    """
    applying = _Applying(ctx, _load(paths, ctx.config), source, prune, adopt, allow_empty)
    asked = applying.plan(ctx.now())
    if not asked.changes_anything and not asked.newly_orphaned:
        return Applied(plan=asked, apply_id=None)
    if asked.pruned and confirm and not confirm(asked):
        return Applied(plan=asked, apply_id=None)
    origin = provenance_of(applying.loaded.roots)
    with ctx.store.transaction():
        now = ctx.now()
        final = applying.plan(now)
        if confirm and not set(final.pruned) <= set(asked.pruned):
            raise ConflictError("the queue was changed meanwhile; nothing was applied, run the command again")
        apply_id = _record(ctx, final, origin, now) if final.changes_anything else None
        if apply_id is not None:
            carry_out(ctx, final, apply_id, now)
        for name in final.newly_orphaned:
            ctx.store.specs.orphan(name)
    return Applied(plan=_with_warnings(ctx, final, now), apply_id=apply_id)


@dataclass(frozen=True, slots=True)
class _Applying:
    """Files that were read, to be compared with a queue: once to ask, and once more under its lock."""

    ctx: Context
    loaded: Loaded
    source: str | None
    prune: bool
    adopt: bool
    allow_empty: bool

    def plan(self, now: int) -> Plan:
        held = {stored.name: stored for stored in self.ctx.store.specs.list(pruned=True)}
        source = self._source(held)
        found = pure_plan(
            self.loaded.specs,
            held,
            source=source.name,
            config=self.ctx.config,
            now=now,
            last_jobs=self._last_jobs(held),
            is_part=source.is_part,
            prune=self.prune,
            adopt=self.adopt,
        )
        if found.pruned and not self.loaded.specs and not self.allow_empty:
            raise ConflictError(
                f"{', '.join(map(str, self.loaded.roots))}: no spec found there, so that all {len(found.pruned)} of"
                f" the source '{source.name}' would be pruned; if that is meant, say --allow-empty"
            )
        return replace(found, ignored=self.loaded.ignored)

    def _source(self, held: Mapping[str, StoredSpec]) -> Source:
        known = {stored.source for stored in held.values() if stored.pruned_at is None}
        found = source_of(self.loaded.roots, known)
        return Source(name=self.source, is_part=found.is_part) if self.source else found

    def _last_jobs(self, held: Mapping[str, StoredSpec]) -> dict[str, Job]:
        """Return the last jobs of the specs that run once and do something else than that job was made for."""
        found: dict[str, Job] = {}
        for one in self.loaded.specs:
            stored = held.get(one.spec.name or "")
            if stored is None or one.spec.schedule is not None:
                continue
            if stored.spec == one.spec and stored.pruned_at is None:
                continue
            last = self.ctx.store.jobs.newest_of_spec(stored.name)
            # An older job than the last one is no substitute for it: that one completed and was purged.
            if last is not None and last.id >= (stored.last_job_id or 0):
                found[stored.name] = last
        return found


def _load(paths: Sequence[Path], config: Config) -> Loaded:
    from queuectl.specs.load import load  # noqa: PLC0415  jsonschema and yaml take 120 ms

    return load(paths, default_zone=config.timezone)


def _record(ctx: Context, found: Plan, origin: Provenance, now: int) -> int:
    return ctx.store.specs.record_apply(
        at=now, who=ctx.who, source=found.source, git_commit=origin.commit, git_dirty=origin.dirty
    )


def _with_warnings(ctx: Context, found: Plan, now: int) -> Plan:
    planned = ((one.spec, one.file) for one in (*found.created, *found.updated))
    return replace(found, warnings=_warnings(planned, ctx.config, now))


def _warnings(specs: Iterable[tuple[JobSpec, str]], config: Config, now: int) -> tuple[str, ...]:
    from queuectl.rules.lint import warnings  # noqa: PLC0415  only where files are read

    return tuple(
        line
        for spec, file in specs
        for line in warnings(
            spec,
            file=file,
            now_ms=now,
            zone=config.timezone,
            cwd_exists=spec.cwd is None or Path(spec.cwd).is_dir(),
        )
    )
