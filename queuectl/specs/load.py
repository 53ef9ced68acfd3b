"""Spec files to specs: all of them, or one error that lists what is wrong in any of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from queuectl.model.spec import LoadedSpec
from queuectl.specs.build import build
from queuectl.specs.check import Problem, is_variable, problems
from queuectl.specs.defaults import with_defaults
from queuectl.specs.document import read
from queuectl.specs.faults import MAX_FAULTS_SHOWN, Fault, fault_at, invalid
from queuectl.specs.files import SpecFile, find, read_source
from queuectl.specs.paths import make_absolute
from queuectl.specs.places import Place, PlacedDict, Source, place_of, without

_TAKEN_WHOLE = frozenset({("schedule",)})
"""Fields whose parts say nothing without each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What a set of paths declares."""

    specs: tuple[LoadedSpec, ...]
    ignored: tuple[str, ...]
    """Files in the folders that are no spec files by their ending."""
    roots: tuple[Path, ...]
    """The paths that were given, absolute."""


def load(paths: Sequence[Path], *, default_zone: str) -> Loaded:
    """Read every spec file at `paths`, which are files or folders.

    `default_zone` is the time zone of a `run_at` where the spec names none.
    InvalidSpecError lists every error of every file, each with its place.
    """
    found = find(paths)
    loading = _Loading(default_zone, found.faults)
    for file in sorted(found.files.values(), key=_defaults_first):
        loading.add(file)
    if loading.faults:
        raise invalid(loading.faults)
    roots = tuple(Path(os.path.abspath(path)) for path in paths)  # noqa: PTH100  resolve() would follow links
    return Loaded(specs=tuple(loading.specs), ignored=tuple(found.ignored), roots=roots)


class _Loading:
    def __init__(self, zone: str, faults: list[Fault]) -> None:
        self.specs: list[LoadedSpec] = []
        self.faults = faults
        self._zone = zone
        self._defaults: dict[Path, PlacedDict] = {}
        self._named: dict[str, Place] = {}

    def add(self, file: SpecFile) -> None:
        """Read one file; the defaults of a folder must come before what is in it and below."""
        source = read_source(file)
        if isinstance(source, Fault):
            self.faults.append(source)
            return
        content, faults = read(source)
        self.faults += faults
        if content is None:
            return
        if file.holds_defaults:
            self._add_defaults(content, source, follow_ups_of=faults)
        else:
            self._add_jobs(content, source, follow_ups_of=faults)

    def _add_defaults(self, content: PlacedDict, source: Source, *, follow_ups_of: list[Fault]) -> None:
        folder = source.path.parent
        other = self._defaults.get(folder)
        if other is not None and other.place.source.path.parent == folder:
            message = f"the defaults of this folder are in {other.place.source.name} already"
            self.faults.append(fault_at(content.place, message))
            return
        found = problems(content, "defaults")
        self._note(content, found, follow_ups_of)
        if len(found) >= MAX_FAULTS_SHOWN:
            return
        above = self._folder_defaults(folder.parent)
        self._defaults[folder] = self._ready_defaults(_sound(content, found), source, above)

    def _add_jobs(self, content: PlacedDict, source: Source, *, follow_ups_of: list[Fault]) -> None:
        found = problems(content)
        self._note(content, found, follow_ups_of)
        if len(found) >= MAX_FAULTS_SHOWN:
            return  # there may be more, so the rest can't be relied on
        defaults = self._folder_defaults(source.path.parent)
        if "jobs" not in content and "defaults" not in content:
            name, at = self._name_of(content, source)
            self._add_job(_sound(content, found), name, at, defaults)
            return
        own, jobs = content.get("defaults"), content.get("jobs")
        if isinstance(own, PlacedDict):
            defaults = self._ready_defaults(_sound(own, found, ("defaults",)), source, defaults)
        if not isinstance(jobs, PlacedDict):
            return
        for name, fields in jobs.items():
            if isinstance(fields, PlacedDict):
                self._add_job(_sound(fields, found, ("jobs", name)), name, jobs.keys_at[name], defaults)

    def _add_job(self, fields: PlacedDict, name: str, at: Place, defaults: PlacedDict | None) -> None:
        source = at.source
        folder = str(source.path.parent)
        wrong = make_absolute(fields, folder)
        fields = with_defaults(fields, defaults)
        spec, more = build(fields, name=name, cwd=folder, zone=self._zone)
        self._note(fields, [*wrong, *more])
        first = self._named.setdefault(name, at)
        if first is not at:
            taken_by = f"{first.source.name}:{first.line}"
            self.faults.append(fault_at(at, f"the name '{name}' is taken by {taken_by}; names are unique"))
        if spec is not None:
            self.specs.append(LoadedSpec(spec=spec, file=source.label, line=at.line))

    def _ready_defaults(self, own: PlacedDict, source: Source, above: PlacedDict | None) -> PlacedDict:
        """Checked defaults with those above them; what is wrong with them is found even where no job uses them."""
        folder = str(source.path.parent)
        wrong = make_absolute(own, folder)
        _, more = build(own, name=None, cwd=folder, zone=self._zone)
        self._note(own, [*wrong, *more])
        return with_defaults(own, above)

    def _folder_defaults(self, folder: Path) -> PlacedDict | None:
        """The defaults that hold in a folder: its own, which have those above in them, or the nearest above."""
        if not self._defaults:
            return None
        return next(
            (self._defaults[above] for above in (folder, *folder.parents) if above in self._defaults), None
        )

    def _name_of(self, content: PlacedDict, source: Source) -> tuple[str, Place]:
        """The job's name, from the field or from the file's name, and its place."""
        if "name" in content:
            return str(content["name"]), content.values_at["name"]
        stem = source.path.stem
        for problem in problems(stem, "name"):
            message = f"the file's name is no name for a job: {problem.message}; rename it, or add name:"
            self.faults.append(fault_at(content.place, message))
        return stem, content.place

    def _note(self, root: Any, found: Iterable[Problem], follow_ups_of: Iterable[Fault] = ()) -> None:
        """Give problems their places; what stands where the YAML itself is wrong is a consequence of that."""
        known = {fault.position for fault in follow_ups_of}
        for problem in found:
            place = place_of(root, problem.path, on_key=problem.on_key)
            secret = is_variable(problem.path) and not problem.on_key
            fault = fault_at(place, problem.message, quote=not secret)
            if fault.position not in known:
                self.faults.append(fault)


def _defaults_first(file: SpecFile) -> tuple[bool, int]:
    """From the top down; the sort leaves the other files in their order."""
    return (False, len(file.path.parts)) if file.holds_defaults else (True, 0)


def _sound(fields: PlacedDict, found: Iterable[Problem], path: tuple[str | int, ...] = ()) -> PlacedDict:
    """What nothing was found against in the mapping at `path`, so that the rest can be looked at further."""
    depth = len(path)
    bad = [problem.path[depth:] for problem in found if problem.path[:depth] == path]
    return without(fields, [inner[:1] if inner[:1] in _TAKEN_WHOLE else inner for inner in bad])
