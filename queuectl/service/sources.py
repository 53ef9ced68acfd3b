"""Sources: which set of specs the applied files are, under a name that is the same on every machine."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path

import msgspec


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """The set of specs that an apply owns."""

    name: str
    is_part: bool
    """The files are some of the source's: what isn't among them is neither orphaned nor pruned."""


def source_of(paths: Sequence[Path], known: Collection[str] = ()) -> Source:
    """Return the source that applied files and folders belong to, unless somebody names another.

    A folder in a git checkout: the checkout's folder name and the path inside it (`infra/jobs.d`); any other: its
    absolute path. Several: their sources, sorted and joined by ` + `. A file is part of the source of its folder,
    or of the nearest folder above it whose source is `known` to the queue.
    """
    files = [path for path in map(_absolute, paths) if not path.is_dir()]
    folders = [path for path in map(_absolute, paths) if path.is_dir()]
    names = {name_of(folder) for folder in folders}
    names |= {_known_above(file, known) for file in files if not any(f in file.parents for f in folders)}
    return Source(name=" + ".join(sorted(names)), is_part=bool(files))


def name_of(folder: Path) -> str:
    """Return the name of the source that a folder is. Links are not resolved: `current/jobs.d` stays that."""
    checkout = checkout_of(folder)
    if checkout is None or not checkout.name:
        return str(folder)
    return str(checkout.name / folder.relative_to(checkout))


def checkout_of(folder: Path) -> Path | None:
    """Return the root of the git checkout that a folder is in; git itself needs not be installed."""
    return next(
        (above for above in (folder, *folder.parents) if os.path.exists(above / ".git")),  # noqa: PTH110  never raises
        None,
    )


def _known_above(file: Path, known: Collection[str]) -> str:
    names = [name_of(folder) for folder in file.parents]
    return next((name for name in names if name in known), names[0])


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100  resolve() would follow links
