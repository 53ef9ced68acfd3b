"""Watching spec files while the world around them misbehaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from queuectl.service.context import opened
from queuectl.service.watch import Watch
from queuectl.store.store import Store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "jobs.d"
    folder.mkdir()
    return folder


def test_a_change_while_the_store_is_busy_is_applied_later(tmp_path: Path, folder: Path) -> None:
    db = tmp_path / "q.db"
    with opened(str(db), create=True, environ={}) as ctx:
        ctx.store.database.wait_for_lock(1)
        watch = Watch(ctx, (folder,))
        (folder / "a.yaml").write_text("command: 'true'\n")
        blocker = Store.open(db)
        assert blocker is not None
        with blocker.transaction():
            watch.look()
            assert ctx.store.specs.list() == []
        blocker.close()
        watch.look()
        assert [stored.name for stored in ctx.store.specs.list()] == ["a"]


def test_a_folder_that_vanishes_ends_nothing(tmp_path: Path, folder: Path) -> None:
    (folder / "a.yaml").write_text("command: 'true'\n")
    with opened(str(tmp_path / "q.db"), create=True, environ={}) as ctx:
        watch = Watch(ctx, (folder,))
        watch.apply()
        folder.rename(tmp_path / "elsewhere")
        watch.look()
        (tmp_path / "elsewhere").rename(folder)
        watch.look()
        assert [stored.name for stored in ctx.store.specs.list()] == ["a"]
