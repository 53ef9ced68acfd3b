from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from queuectl.model.errors import StoreInvalidError, UsageError
from queuectl.service.context import database_path, opened, whoami
from queuectl.service.settings import set_


@pytest.mark.parametrize(
    ("db", "environ", "expected"),
    [
        ("/a/q.db", {"QUEUECTL_DB": "/b/q.db"}, "/a/q.db"),
        (None, {"QUEUECTL_DB": "/b/q.db", "QUEUECTL_DB_PATH": "/c/q.db"}, "/b/q.db"),
        (None, {"QUEUECTL_DB": "", "QUEUECTL_DB_PATH": "/c/q.db"}, "/c/q.db"),
        (None, {"XDG_STATE_HOME": "/state", "HOME": "/home/ada"}, "/state/queuectl/queue.db"),
        (
            None,
            {"XDG_STATE_HOME": "not/absolute", "HOME": "/home/ada"},
            "/home/ada/.local/state/queuectl/queue.db",
        ),
        (None, {"QUEUECTL_DB": "", "HOME": "/home/ada"}, "/home/ada/.local/state/queuectl/queue.db"),
    ],
)
def test_the_queue_is_named_by_flag_then_environment_then_home(
    db: str | None, environ: dict[str, str], expected: str
) -> None:
    assert database_path(db, environ) == Path(expected)


@pytest.mark.parametrize(
    ("db", "message"),
    [
        ("postgresql://host/queue", "postgresql:// queues are not in this version; name a file"),
        ("", "expected the path of the queue's file, found ''"),
        ("a\0b", "expected the path of the queue's file"),
    ],
)
def test_what_names_no_file_is_refused(db: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        database_path(db, {})


def test_a_relative_path_in_a_deleted_folder_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(UsageError, match="absolute path"):
        database_path("queue.db", {})


def test_a_missing_queue_is_an_empty_one_and_nothing_is_made(tmp_path: Path) -> None:
    with opened(str(tmp_path / "q.db"), create=False, environ={}) as ctx:
        assert not ctx.exists
        assert ctx.store.jobs.list() == []
    assert list(tmp_path.iterdir()) == []


def test_with_create_it_is_made_private(tmp_path: Path) -> None:
    with opened(str(tmp_path / "state" / "q.db"), create=True, environ={}) as ctx:
        assert ctx.exists
        assert ctx.who == whoami()
        assert abs(ctx.now() - tmp_path.stat().st_mtime * 1000) < 60_000
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "state" / "q.db").stat().st_mode) == 0o600


def test_what_is_no_queue_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "q.db").write_text("something else entirely")
    with (
        pytest.raises(StoreInvalidError, match=r"q\.db"),
        opened(str(tmp_path / "q.db"), create=True, environ={}),
    ):
        pass
    assert (tmp_path / "q.db").read_text() == "something else entirely"


def test_links_to_the_queue_are_resolved(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "q.db")
    with opened(str(tmp_path / "link.db"), create=True, environ={}) as ctx:
        assert ctx.path == Path(os.path.realpath(tmp_path / "q.db"))


def test_outputs_lie_beside_the_database_unless_configured(tmp_path: Path) -> None:
    place = Path(os.path.realpath(tmp_path))
    with opened(str(tmp_path / "queue.db"), create=True, environ={}) as ctx:
        assert ctx.log_dir == place / "queue.logs"
    with opened(str(tmp_path / "queue.sqlite"), create=True, environ={}) as ctx:
        assert ctx.log_dir == place / "queue.sqlite.logs"
    with opened(str(tmp_path / "queue.db"), create=True, environ={"QUEUECTL_LOG_DIR": "/var/log/q"}) as ctx:
        assert ctx.log_dir == Path("/var/log/q")


def test_the_configuration_in_force_comes_along(tmp_path: Path) -> None:
    db = str(tmp_path / "q.db")
    with opened(db, create=True, environ={}) as ctx:
        set_(ctx, {"max-retries": "7", "timezone": "Europe/Berlin"})
    environ = {"QUEUECTL_TIMEZONE": "Asia/Tokyo"}
    with opened(db, create=False, environ=environ, overrides={"lease": "1m"}) as ctx:
        config = ctx.config
    assert (config.max_retries, config.timezone, config.lease) == (7, "Asia/Tokyo", 60_000)


def test_durability_reaches_the_connection(tmp_path: Path) -> None:
    db = str(tmp_path / "q.db")
    for durability, synchronous in [("full", 2), ("normal", 1)]:
        with opened(db, create=True, environ={}, overrides={"durability": durability}) as ctx:
            connection = ctx.store.database._connection  # type: ignore[attr-defined]
            assert connection.pragma("synchronous") == synchronous


def test_a_setting_that_can_t_be_used_makes_no_queue(tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match="QUEUECTL_LEASE"),
        opened(str(tmp_path / "q.db"), create=True, environ={"QUEUECTL_LEASE": "x"}),
    ):
        pass
    assert list(tmp_path.iterdir()) == []
