"""Apply: make the queue match the spec files, all or nothing; and what that would change."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from queuectl.model.config import Config
from queuectl.model.errors import ConflictError, InvalidSpecError, SpecFaultsError
from queuectl.model.fire import StoredSpec
from queuectl.model.job import Job
from queuectl.model.spec import JobSpec, LoadedSpec
from queuectl.model.states import JobState
from queuectl.rules.needs import refuse_faults
from queuectl.rules.plan import Plan
from queuectl.rules.plan import plan as pure_plan
from queuectl.service.carry_out import carry_out
from queuectl.service.context import Context
from queuectl.service.provenance import Provenance, provenance_of
from queuectl.service.sources import Source, source_of
from queuectl.service.spec_files import recall, remember

if TYPE_CHECKING:
    from queuectl.specs.known import KnownFile
    from queuectl.specs.load import Loaded


_STILL_NOW_MS = 5_000
"""A plan that is no older may be carried out as it is, if the queue is still the same: others wait for the lock."""


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """What an apply did."""

    plan: Plan
    apply_id: int | None
    """Of its record; None when nothing was changed."""


class Validated(msgspec.Struct, frozen=True, kw_only=True):
    """Spec files that are all right."""

    specs: tuple[LoadedSpec, ...]
    ignored: tuple[str, ...]
    warnings: tuple[str, ...]


def read(paths: Sequence[Path], config: Config) -> Loaded:
    """Read spec files, for the first `apply` to a new queue. InvalidSpecError lists everything that is wrong."""
    return _checked(_load(paths, config, {}), config, {})


def validate(paths: Sequence[Path], config: Config, *, now: int) -> Validated:
    """Read spec files and look for what was probably not meant; needs no queue. InvalidSpecError as in `read`.

    Whether what is needed is there can be told of folders alone.
    """
    loaded = _load(paths, config, {})
    _checked(loaded, config, {} if all(path.is_dir() for path in loaded.roots) else None)
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
    held = _held(ctx)
    loaded = _load(paths, ctx.config, recall(ctx, held))
    now = ctx.now()
    return _with_warnings(ctx, _Applying(ctx, loaded, source, prune, adopt, allow_empty).plan(held, now), now)


def apply(
    ctx: Context,
    paths: Sequence[Path],
    *,
    source: str | None = None,
    prune: bool = False,
    adopt: bool = False,
    allow_empty: bool = False,
    confirm: Callable[[Plan], bool] | None = None,
    loaded: Loaded | None = None,
) -> Applied:
    """Make the queue match the spec files, in one transaction; errors as in `plan`.

    Files that say what the queue holds change nothing at all. `confirm` is asked before anything is pruned;
    where it says no, nothing is changed. `loaded` is what `read` has just made of the files.
    """
    held = _held(ctx)
    loaded = loaded or _load(paths, ctx.config, recall(ctx, held))
    applying = _Applying(ctx, loaded, source, prune, adopt, allow_empty)
    asked_at = ctx.now()
    asked = applying.plan(held, asked_at)
    if not asked.changes_anything and not asked.newly_orphaned:
        remember(ctx, loaded, asked, _versions(held))
        return Applied(plan=asked, apply_id=None)
    if asked.pruned and confirm and not confirm(asked):
        return Applied(plan=asked, apply_id=None)
    origin = provenance_of(loaded.roots)
    with ctx.store.transaction():
        seen, held = held, _held(ctx)
        now = ctx.now()
        final = asked
        if now - asked_at <= _STILL_NOW_MS and not asked.depends_on_jobs and held == seen:
            now = asked_at
        else:
            final = applying.plan(held, now)
        if confirm and not set(final.pruned) <= set(asked.pruned):
            raise ConflictError("the queue was changed meanwhile; nothing was applied, run the command again")
        apply_id = _record(ctx, final, origin, now) if final.changes_anything else None
        written = {} if apply_id is None else carry_out(ctx, final, apply_id, now)
        for name in final.newly_orphaned:
            ctx.store.specs.orphan(name)
    remember(ctx, loaded, final, _versions(held) | written)
    return Applied(plan=_with_warnings(ctx, final, now), apply_id=apply_id)


class _Applying(msgspec.Struct, frozen=True):
    """Files that were read, to be compared with a queue: once to ask, and once more under its lock."""

    ctx: Context
    loaded: Loaded
    source: str | None
    prune: bool
    adopt: bool
    allow_empty: bool

    def plan(self, held: Mapping[str, StoredSpec], now: int) -> Plan:
        source = self._source(held)
        try:
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
        except SpecFaultsError as error:
            raise _with_places(self.loaded, self.ctx.config, error) from None
        if found.pruned and not self.loaded.specs and not self.allow_empty:
            raise ConflictError(
                f"{', '.join(map(str, self.loaded.roots))}: no spec found there, so that all {len(found.pruned)} of"
                f" the source '{source.name}' would be pruned; if that is meant, say --allow-empty"
            )
        return replace(found, ignored=self.loaded.ignored, warnings=tuple(_open_to_all(self.loaded.roots)))

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
            if (
                last is not None
                and last.id >= (stored.last_job_id or 0)
                and not self._went_with_its_flow(last)
            ):
                found[stored.name] = last
        return found

    def _went_with_its_flow(self, last: Job) -> bool:
        """Whether a job was cancelled and all of its flow is over: alone it is not to come back, but a new flow is."""
        cancelled = last.state is JobState.CANCELLED and last.flow is not None
        return cancelled and not self.ctx.store.flows.open_jobs(last.flow or 0)


def _held(ctx: Context) -> dict[str, StoredSpec]:
    return {stored.name: stored for stored in ctx.store.specs.list(pruned=True)}


def _load(paths: Sequence[Path], config: Config, known: Mapping[str, KnownFile]) -> Loaded:
    from queuectl.specs.load import invalid_beside_others, load  # noqa: PLC0415  yaml takes 30 ms

    loaded = load(paths, default_zone=config.timezone, known=known)
    if loaded.placed:
        from queuectl.service.notify import bad_urls  # noqa: PLC0415  it loads what sends

        if found := list(bad_urls(one.spec for one in loaded.specs if one.spec.name in loaded.placed)):
            raise invalid_beside_others(loaded, found)
    return loaded


def _checked(loaded: Loaded, config: Config, others: Mapping[str, JobSpec] | None) -> Loaded:
    try:
        refuse_faults(loaded.specs, others)
    except SpecFaultsError as error:
        raise _with_places(loaded, config, error) from None
    return loaded


def _with_places(loaded: Loaded, config: Config, error: SpecFaultsError) -> InvalidSpecError:
    from queuectl.specs.load import invalid_beside_others  # noqa: PLC0415  as above

    if any(fault.spec not in loaded.placed for fault in error.faults):
        loaded = _load(loaded.roots, config, {})  # files that are known are read again, for their places
    placed = [fault for fault in error.faults if fault.spec in loaded.placed]
    return invalid_beside_others(loaded, placed) if placed == error.faults else error


def _versions(held: Mapping[str, StoredSpec]) -> dict[str, int]:
    return {name: stored.version for name, stored in held.items()}


def _record(ctx: Context, found: Plan, origin: Provenance, now: int) -> int:
    return ctx.store.specs.record_apply(
        at=now, who=ctx.who, source=found.source, git_commit=origin.commit, git_dirty=origin.dirty
    )


def _with_warnings(ctx: Context, found: Plan, now: int) -> Plan:
    planned = ((one.spec, one.file) for one in (*found.created, *found.updated))
    return replace(found, warnings=(*found.warnings, *_warnings(planned, ctx.config, now)))


def _open_to_all(roots: Iterable[Path]) -> Iterator[str]:
    """Say where everybody on this machine could have a command of theirs run as us."""
    for root in roots:
        with suppress(OSError):
            if root.stat().st_mode & stat.S_IWOTH:
                yield f"{root} can be written to by everybody, who can so run commands as you; chmod o-w it"


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
            cwd_exists=spec.cwd is None or os.path.isdir(spec.cwd),  # noqa: PTH112  never raises
        )
    )
