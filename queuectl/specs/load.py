"""Spec files to specs: all of them, or one error that lists what is wrong in any of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from queuectl.model.errors import InvalidSpecError, SpecFault
from queuectl.model.hook import Hooks
from queuectl.model.spec import LoadedSpec
from queuectl.specs.build import build
from queuectl.specs.check import Problem, may_be_secret, problems
from queuectl.specs.defaults import with_defaults
from queuectl.specs.document import read
from queuectl.specs.faults import MAX_FAULTS_SHOWN, Fault, fault_at, invalid
from queuectl.specs.files import SpecFile, find, read_bytes, text_of
from queuectl.specs.known import Digests, KnownFile, ReadFile, depends_on_bytes_alone
from queuectl.specs.paths import make_absolute
from queuectl.specs.places import Place, PlacedDict, Source, place_of, without

_T = TypeVar("_T")

_TAKEN_WHOLE = frozenset({("schedule",), ("concurrency",), ("on_success",), ("on_failure",), ("on_dead",)})
"""Fields whose parts say nothing without each other."""


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """What a set of paths declares."""

    specs: tuple[LoadedSpec, ...]
    ignored: tuple[str, ...]
    """Files in the folders that are no spec files by their ending."""
    roots: tuple[Path, ...]
    """The paths that were given, absolute."""
    files: tuple[str, ...]
    """The files with the specs, by their absolute paths."""
    read: tuple[ReadFile, ...]
    """Those among them that were not known."""
    placed: Mapping[str, PlacedDict]
    """By name, the fields of the specs in these that can be wrong beside others: they have needs or hooks."""


def invalid_beside_others(loaded: Loaded, faults: Iterable[SpecFault]) -> InvalidSpecError:
    """Return one error that lists faults of specs that are `placed`, with their places."""
    return invalid(
        fault_at(
            place_of(loaded.placed[fault.spec], fault.path),
            f"{fault.path[0]}: {fault.message}",
            quote=not may_be_secret(fault.path),
        )
        for fault in faults
    )


def load(paths: Sequence[Path], *, default_zone: str, known: Mapping[str, KnownFile] | None = None) -> Loaded:
    """Read every spec file at `paths`, which are files or folders.

    `default_zone` is the time zone of a `run_at` where the spec names none. Of files that are `known`, by their
    absolute paths, and unchanged, only the bytes are looked at.
    InvalidSpecError lists every error of every file, each with its place.
    """
    found = find(paths)
    files = sorted(found.files.values(), key=_defaults_first)
    loading = _Loading(default_zone, found.faults, known or {})
    loading.add_all(files)
    if loading.places_are_missing:
        loading = _Loading(default_zone, found.faults, {})
        loading.add_all(files)
    if loading.faults:
        raise invalid(loading.faults)
    roots = tuple(Path(os.path.abspath(path)) for path in paths)  # noqa: PTH100  resolve() would follow links
    return Loaded(
        specs=tuple(loading.specs),
        ignored=tuple(found.ignored),
        roots=roots,
        files=tuple(str(file.path) for file in files if not file.holds_defaults),
        read=tuple(loading.read),
        placed=loading.placed,
    )


class _Loading:
    def __init__(self, zone: str, faults: Iterable[Fault], known: Mapping[str, KnownFile]) -> None:
        self.specs: list[LoadedSpec] = []
        self.read: list[ReadFile] = []
        self.placed: dict[str, PlacedDict] = {}
        self.faults = [*faults]
        self.places_are_missing = False
        """A name of a known file is there twice; where, only reading all files tells."""
        self._zone = zone
        self._known = known
        self._digests = Digests(zone)
        self._defaults: dict[Path, PlacedDict] = {}
        self._defaults_digests: dict[Path, str] = {}
        self._named: dict[str, Place | None] = {}

    def add_all(self, files: Iterable[SpecFile]) -> None:
        """Read files; the defaults of a folder must come before what is in it and below."""
        for file in files:
            data = read_bytes(file)
            if isinstance(data, Fault):
                self.faults.append(data)
            elif file.holds_defaults:
                self._add_defaults_file(file, data)
            else:
                self._add_file(file, data)

    def _add_defaults_file(self, file: SpecFile, data: bytes) -> None:
        content, source, faults = self._content(file, data)
        if content is not None and source is not None:
            above = _nearest(self._defaults_digests, file.path.parent.parent) or ""
            self._defaults_digests[file.path.parent] = self._digests.of(file.path, data, above)
            self._add_defaults(content, source, follow_ups_of=faults)

    def _add_file(self, file: SpecFile, data: bytes) -> None:
        defaults = _nearest(self._defaults_digests, file.path.parent) or ""
        digest = self._digests.of(file.path, data, defaults)
        known = self._known.get(str(file.path))
        if known and known.digest == digest:
            self._add_known(file, known)
            return
        content, source, faults = self._content(file, data)
        if content is None or source is None:
            return
        first = len(self.specs)
        self._add_jobs(content, source, follow_ups_of=faults)
        specs = self.specs[first:]
        if all(map(depends_on_bytes_alone, specs)):
            lines = {one.spec.name or "": one.line for one in specs}
            self.read.append(ReadFile(path=str(file.path), digest=digest, lines=lines))

    def _add_known(self, file: SpecFile, known: KnownFile) -> None:
        for spec, line in known.specs:
            name = spec.name or ""
            if name in self._named:
                self.places_are_missing = True
            self._named[name] = None
            self.specs.append(LoadedSpec(spec=spec, file=file.label, line=line))

    def _content(self, file: SpecFile, data: bytes) -> tuple[PlacedDict | None, Source | None, list[Fault]]:
        source = text_of(file, data)
        if isinstance(source, Fault):
            self.faults.append(source)
            return None, None, []
        content, faults = read(source)
        self.faults += faults
        return content, source, faults

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
        enough = len(self.faults) + MAX_FAULTS_SHOWN
        for name, fields in jobs.items():
            if len(self.faults) >= enough:
                return  # no more of one file are shown, and to find them may take its time
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
        if first is None:
            self.places_are_missing = True
        elif first is not at:
            taken_by = f"{first.source.name}:{first.line}"
            self.faults.append(fault_at(at, f"the name '{name}' is taken by {taken_by}; names are unique"))
        if spec is not None:
            self.specs.append(LoadedSpec(spec=spec, file=source.label, line=at.line))
            if spec.needs or spec.hooks != Hooks():
                self.placed[name] = fields

    def _ready_defaults(self, own: PlacedDict, source: Source, above: PlacedDict | None) -> PlacedDict:
        """Checked defaults with those above them; what is wrong with them is found even where no job uses them."""
        folder = str(source.path.parent)
        wrong = make_absolute(own, folder)
        _, more = build(own, name=None, cwd=folder, zone=self._zone)
        self._note(own, [*wrong, *more])
        return with_defaults(own, above)

    def _folder_defaults(self, folder: Path) -> PlacedDict | None:
        """The defaults that hold in a folder: its own, which have those above in them, or the nearest above."""
        return _nearest(self._defaults, folder)

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
            fault = fault_at(place, problem.message, quote=not may_be_secret(problem.path))
            if fault.position not in known:
                self.faults.append(fault)


def _nearest(by_folder: Mapping[Path, _T], folder: Path) -> _T | None:
    """What is said of a folder, or of the nearest one above it."""
    if not by_folder:
        return None
    return next((by_folder[above] for above in (folder, *folder.parents) if above in by_folder), None)


def _defaults_first(file: SpecFile) -> tuple[bool, int]:
    """From the top down; the sort leaves the other files in their order."""
    return (False, len(file.path.parts)) if file.holds_defaults else (True, 0)


def _sound(fields: PlacedDict, found: Iterable[Problem], path: tuple[str | int, ...] = ()) -> PlacedDict:
    """What nothing was found against in the mapping at `path`, so that the rest can be looked at further."""
    depth = len(path)
    bad = [problem.path[depth:] for problem in found if problem.path[:depth] == path]
    return without(fields, [inner[:1] if inner[:1] in _TAKEN_WHOLE else inner for inner in bad])
