"""The spec files and what they name: whether they are there, and safe from others."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from queuectl.model.env import EnvRef
from queuectl.model.fire import StoredSpec
from queuectl.service.context import Context
from queuectl.service.doctor.finding import Finding, counted, ok, some, warning


def check(ctx: Context) -> Iterator[Finding]:
    """Who may write a spec file, or the folder it is in, decides what runs."""
    files = [Path(file.path) for file in ctx.store.specs.files()]
    specs = ctx.store.specs.list()
    found = [*_open_to_all(files), *_unreadable(specs), *_orphaned(specs)]
    yield from found or [ok("sources", f"{counted(len(specs), 'spec')} from {counted(len(files), 'file')}")]


def _open_to_all(files: Iterable[Path]) -> Iterator[Finding]:
    places = sorted({*files, *(file.parent for file in files)})
    open_ones = [place for place in places if _anybody_writes(place)]
    if open_ones:
        names = [str(place) for place in open_ones]
        text = f"everybody may change what runs: {some(names)} can be written by all"
        yield warning("sources", text, f"chmod o-w {' '.join(map(shlex.quote, names[:5]))}")


def _anybody_writes(place: Path) -> bool:
    try:
        mode = place.stat().st_mode
    except OSError:  # applied on another machine, or gone: apply says so
        return False
    return bool(mode & stat.S_IWOTH) and not (stat.S_ISDIR(mode) and mode & stat.S_ISVTX)


def _unreadable(specs: Iterable[StoredSpec]) -> Iterator[Finding]:
    """Secrets and dotenv files are read when an attempt starts, at night."""
    for path, names in _named_files(specs).items():
        if not os.access(path, os.R_OK):
            state = "can't be read" if os.path.exists(path) else "is not there"  # noqa: PTH110  any text
            text = f"{path}, which {some(names)} {'needs' if len(names) == 1 else 'need'}, {state}"
            yield warning(
                "sources", text, "bring it there for the user whose workers run, or no attempt starts"
            )
        elif _anybody_writes(Path(path)):
            text = f"everybody may write {path}, which {some(names)} {'reads' if len(names) == 1 else 'read'}"
            yield warning("sources", text, f"chmod o-w {shlex.quote(path)}")


def _named_files(specs: Iterable[StoredSpec]) -> dict[str, list[str]]:
    named: dict[str, list[str]] = {}
    for stored in specs:
        secrets = [
            value.from_file
            for value in stored.spec.env.values()
            if isinstance(value, EnvRef) and value.from_file
        ]
        for path in dict.fromkeys([*stored.spec.env_file, *secrets]):
            named.setdefault(path, []).append(stored.name)
    return named


def _orphaned(specs: Iterable[StoredSpec]) -> Iterator[Finding]:
    orphaned = [stored for stored in specs if stored.orphaned]
    if orphaned:
        text = f"{counted(len(orphaned), 'spec')} left the files and run on: {some([one.name for one in orphaned])}"
        yield warning(
            "sources", text, "remove them with queuectl apply PATH --prune, or bring their files back"
        )
