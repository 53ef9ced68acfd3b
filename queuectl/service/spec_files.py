"""Spec files that were applied before: what they said is remembered, so that unchanged ones need not be read again."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from queuectl.model.errors import StoreUnavailableError
from queuectl.model.fire import StoredSpec
from queuectl.rules.plan import Plan
from queuectl.service.context import Context
from queuectl.store.specs import RememberedFile

if TYPE_CHECKING:
    from queuectl.specs.known import KnownFile
    from queuectl.specs.load import Loaded


def recall(ctx: Context, held: Mapping[str, StoredSpec]) -> dict[str, KnownFile]:
    """Return the files by path whose specs are, among those that the queue holds, still as the file said."""
    from queuectl.specs.known import KnownFile  # noqa: PLC0415  only where files are read

    return {
        file.path: KnownFile(
            digest=file.digest, specs=tuple((held[name].spec, line) for name, _, line in file.specs)
        )
        for file in ctx.store.specs.files()
        if all(_is_as_it_was(held.get(name), version) for name, version, _ in file.specs)
    }


def _is_as_it_was(stored: StoredSpec | None, version: int) -> bool:
    return stored is not None and stored.version == version and not stored.damage


def remember(ctx: Context, loaded: Loaded, applied: Plan, versions: Mapping[str, int]) -> None:
    """Remember the files that were read, given which versions of their specs they were found to be.

    After the apply itself, which doesn't fail for it: where the store is busy, they are read again the next time.
    """
    if not loaded.read and not applied.newly_orphaned and not applied.pruned:
        return
    files = [
        RememberedFile(
            path=read.path,
            digest=read.digest,
            specs=tuple((name, versions[name], line) for name, line in read.lines.items()),
        )
        for read in loaded.read
    ]
    with suppress(StoreUnavailableError), ctx.store.transaction():
        ctx.store.specs.remember_files(files, source=applied.source)
        if not applied.is_part:
            ctx.store.specs.forget_files_but(loaded.files, source=applied.source)
