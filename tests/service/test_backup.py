from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from queuectl.model.errors import ConflictError, UnknownError
from queuectl.service.backup import backup
from queuectl.service.context import Context
from queuectl.store.store import Store
from tests.store.conftest import Bench


def test_a_backup_holds_the_queue_as_it_was_and_can_be_used(ctx: Context, tmp_path: Path) -> None:
    job = Bench(ctx.store).enqueue(key="k")

    size = backup(ctx, tmp_path / "copy.db")
    ctx.store.history.forget([job.id])

    assert size == (tmp_path / "copy.db").stat().st_size > 0
    copy = Store.open(tmp_path / "copy.db", create=False)
    assert copy
    assert copy.jobs.list() == [job]
    copy.close()


def test_a_backup_never_overwrites(ctx: Context, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("x")

    with pytest.raises(ConflictError, match="exists already"):
        backup(ctx, tmp_path / "precious")
    assert (tmp_path / "precious").read_text() == "x"


def test_where_there_is_no_queue_there_is_nothing_to_back_up(ctx: Context, tmp_path: Path) -> None:
    with pytest.raises(UnknownError, match=r"^there is no queue at .*queue\.db yet"):
        backup(replace(ctx, exists=False, store=Store.empty()), tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()
