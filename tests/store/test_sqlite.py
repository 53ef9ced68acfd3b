"""SQLite below the store: what it refuses to open, what it makes, and what its errors are called."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import apsw
import pytest

from queuectl.model.errors import (
    ConflictError,
    QueuectlError,
    StoreBusyError,
    StoreInvalidError,
    StoreUnavailableError,
)
from queuectl.model.job import NewJob
from queuectl.model.spec import JobSpec
from queuectl.model.states import JobState
from queuectl.store import opening, sqlite
from queuectl.store.migrations import APPLICATION_ID, LATEST
from queuectl.store.store import Store


def opened(path: Path, *, create: bool = True, durability: str = "full") -> Store:
    store = Store.open(path, create=create, durability=durability)
    assert store is not None
    return store


def connection(store: Store) -> apsw.Connection:
    return store.database._connection  # type: ignore[attr-defined,no-any-return]


def enqueue(store: Store, **changes: object) -> int:
    new = NewJob(frozen=JobSpec(command="true", retries=0), state=JobState.PENDING, run_at=0, **changes)  # type: ignore[arg-type]
    job = store.jobs.enqueue(new, now=0)
    assert job is not None
    return job.id


def folder_bytes(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.parent.iterdir() if file.is_file()}


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


# What is there already


def write_nothing(path: Path) -> None:
    path.write_bytes(b"")


def write_text(path: Path) -> None:
    path.write_text("groceries:\n" + "- milk\n" * 50)


def write_half_a_header(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0" + bytes(20))


def write_foreign_database(path: Path) -> None:
    with closing(apsw.Connection(str(path))) as other:
        other.execute("CREATE TABLE songs (title); INSERT INTO songs VALUES ('Hey Jude')")


def write_zeros_over_header(path: Path) -> None:
    opened(path).close()
    with path.open("r+b") as file:
        file.write(bytes(16))


def write_half_a_queue(path: Path) -> None:
    opened(path).close()
    os.truncate(path, path.stat().st_size // 2)


def write_newer_queue(path: Path) -> None:
    opened(path).close()
    with closing(apsw.Connection(str(path))) as newer:
        newer.execute(f"PRAGMA user_version={LATEST + 1}")


def write_queue_without_tables(path: Path) -> None:
    with closing(apsw.Connection(str(path))) as bare:
        bare.execute(f"PRAGMA application_id={APPLICATION_ID}; CREATE TABLE x (y); DROP TABLE x")


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize(
    ("write", "says"),
    [
        (write_nothing, "is empty"),
        (write_text, "is no SQLite database"),
        (write_half_a_header, "is no SQLite database"),
        (write_foreign_database, "of another program"),
        (write_zeros_over_header, "is no SQLite database"),
        (write_half_a_queue, "is damaged"),
        (write_newer_queue, "newer queuectl"),
        (write_queue_without_tables, "its tables are gone"),
    ],
)
def test_refuses_what_is_no_queue_and_leaves_its_bytes(
    path: Path, write: Callable[[Path], None], says: str, create: bool
) -> None:
    write(path)
    before = folder_bytes(path)

    with pytest.raises(StoreInvalidError, match=says) as refused:
        Store.open(path, create=create)

    assert refused.value.exit_code == 5
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)
    assert folder_bytes(path) == before


def test_refuses_a_newer_queue_whose_version_is_still_in_its_wal(path: Path) -> None:
    store = opened(path)
    connection(store).execute(f"PRAGMA user_version={LATEST + 1}")
    live = folder_bytes(path)
    assert live["queue.db-wal"]

    with pytest.raises(StoreInvalidError, match="newer queuectl"):
        Store.open(path)
    store.close()

    # The same as a crash leaves it: nobody else has it open, so the last to close would move the WAL.
    for name, content in live.items():
        (path.parent / name).write_bytes(content)
    with pytest.raises(StoreInvalidError, match="newer queuectl"):
        Store.open(path)
    after = folder_bytes(path)
    assert after["queue.db"] == live["queue.db"]
    assert after["queue.db-wal"] == live["queue.db-wal"]


def test_refuses_to_start_afresh_beside_an_orphaned_wal(path: Path) -> None:
    store = opened(path)
    enqueue(store)
    before = folder_bytes(path)
    path.unlink()

    with pytest.raises(StoreInvalidError, match=r"queue\.db-wal is still there"):
        Store.open(path, create=True)

    assert not path.exists()
    assert (path.parent / "queue.db-wal").read_bytes() == before["queue.db-wal"]
    store.close()


def test_refuses_a_folder_and_a_pipe_and_a_socket(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        for path in (tmp_path, tmp_path / "pipe", tmp_path / "socket", Path("/dev/zero")):
            with pytest.raises(StoreInvalidError, match="is no regular file"):
                Store.open(path)


def test_a_table_that_went_missing_is_damage_not_a_traceback(path: Path) -> None:
    store = opened(path)
    connection(store).execute("PRAGMA foreign_keys=OFF; DROP TABLE jobs")

    with pytest.raises(StoreInvalidError, match="jobs"):
        store.jobs.get(1)
    store.close()


def test_one_damaged_job_is_named(path: Path) -> None:
    store = opened(path)
    job_id = enqueue(store)
    connection(store).execute("UPDATE jobs SET frozen = '{\"command\": 7}'")

    with pytest.raises(StoreInvalidError, match=rf"job {job_id} is damaged"):
        store.jobs.get(job_id)
    store.close()


def test_a_folder_that_is_no_folder_is_unavailable(path: Path) -> None:
    path.write_text("x")

    with pytest.raises(StoreUnavailableError, match="Not a directory") as refused:
        Store.open(path / "queue.db")

    assert refused.value.exit_code == 4


# What is made


def test_nothing_is_made_without_create(path: Path) -> None:
    assert Store.open(path, create=False) is None
    assert list(path.parent.iterdir()) == []


def test_files_and_folders_are_private_whatever_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "state" / "queuectl" / "queue.db"
    with umask(0o000):
        store = opened(path)
        enqueue(store)
        store.backup(path.parent / "copy.db")

    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    folders = [stat.S_IMODE(folder.stat().st_mode) for folder in (path.parent, path.parent.parent)]

    assert modes == {"queue.db": 0o600, "queue.db-wal": 0o600, "queue.db-shm": 0o600, "copy.db": 0o600}
    assert folders == [0o700, 0o700]
    store.close()


def test_nothing_temporary_is_left(path: Path) -> None:
    store = opened(path)
    store.close()

    assert [file.name for file in path.parent.iterdir()] == ["queue.db"]


def test_every_connection_is_wal_and_durable(path: Path) -> None:
    for store in (opened(path), opened(path)):
        names = ("journal_mode", "synchronous", "foreign_keys", "temp_store")
        assert [connection(store).pragma(name) for name in names] == ["wal", 2, 1, 2]
        store.close()

    store = opened(path, durability="normal")
    assert connection(store).pragma("synchronous") == 1
    store.close()


_CREATE_AND_ENQUEUE = """
import sys
from pathlib import Path
from queuectl.model.job import NewJob
from queuectl.model.spec import JobSpec
from queuectl.model.states import JobState
from queuectl.store.store import Store

print("ready", flush=True)
sys.stdin.readline()
for folder in sys.argv[1:]:
    store = Store.open(Path(folder) / "queue.db")
    new = NewJob(frozen=JobSpec(command="true"), state=JobState.PENDING, run_at=0)
    assert store.jobs.enqueue(new, now=0)
    store.close()
"""


def test_processes_that_create_one_queue_at_once_share_it(tmp_path: Path) -> None:
    folders = [str(tmp_path / f"{number}") for number in range(25)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _CREATE_AND_ENQUEUE, *folders],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    errors = [process.communicate()[1] for process in processes]

    assert errors == ["", "", ""]
    for folder in folders:
        store = opened(Path(folder) / "queue.db")
        assert len(store.jobs.list()) == 3
        store.close()
        assert [file.name for file in Path(folder).iterdir()] == ["queue.db"]


def test_a_new_queue_is_wal_before_anybody_can_see_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Changing the mode takes a lock that SQLite doesn't wait for: with others there it would be busy."""
    link, modes = os.link, []

    def look_and_link(source: Path | str, target: Path | str, **options: Any) -> None:
        modes.append(tuple(Path(source).read_bytes()[18:20]))
        link(source, target, **options)

    monkeypatch.setattr(os, "link", look_and_link)
    opened(path).close()

    assert modes == [(2, 2)]


def test_a_wal_that_came_with_its_queue_just_now_is_no_orphan(path: Path) -> None:
    """As when another process makes both between two looks of this one."""
    store = opened(path)
    assert path.with_name("queue.db-wal").exists()

    opening.refuse_orphaned_log(path)
    store.close()


# Busy, full, read-only


def test_busy_is_said_after_the_wait_and_nothing_is_changed(path: Path) -> None:
    holder, waiter = opened(path), opened(path)
    waiter.database.wait_for_lock(20)
    with holder.transaction():
        enqueue(holder)
        for write in (lambda: enqueue(waiter), lambda: waiter.settings.set("lease", "9s")):
            with pytest.raises(StoreBusyError, match="busy") as busy:
                write()
            assert busy.value.exit_code == 4
        assert waiter.jobs.list() == []

    assert enqueue(waiter) == 2
    holder.close()
    waiter.close()


def test_a_lock_is_looked_for_in_short_steps_until_the_wait_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite's own steps grow to 0.1 s: they miss the few ms that a worker leaves between hundreds of fires."""
    steps: list[float] = []
    monkeypatch.setattr(sqlite.time, "monotonic", lambda: 1000 + sum(steps))
    monkeypatch.setattr(sqlite.time, "sleep", steps.append)
    wait = sqlite._patience(200)
    tries = next(number for number in count() if not wait(number))
    assert tries == len(steps) > 40
    assert 0 < max(steps) <= sqlite.LONGEST_STEP_S
    assert sum(steps) == pytest.approx(0.2)
    assert wait(0)  # the next lock is waited for anew


def test_full_is_said_and_nothing_is_changed(path: Path) -> None:
    store = opened(path)
    pages = connection(store).pragma("page_count")
    connection(store).pragma("max_page_count", pages)
    big = JobSpec(command="x" * 100_000)

    with pytest.raises(StoreUnavailableError, match="no space left"):
        store.jobs.enqueue(NewJob(frozen=big, state=JobState.PENDING, run_at=0), now=0)

    assert store.jobs.list() == []
    assert store.queues.list() == []
    store.close()


def test_read_only_names_mode_and_owner(path: Path) -> None:
    store = opened(path)
    connection(store).pragma("query_only", True)

    with pytest.raises(StoreUnavailableError, match=r"mode is 0600, its owner user \d+"):
        enqueue(store)
    store.close()


def as_an_ordinary_user(act: Callable[[], object]) -> str:
    """What an act says to somebody who isn't root, to whom nothing is denied."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            act()
            said = "nothing"
        except BaseException as error:  # noqa: BLE001
            said = f"{type(error).__name__}: {error}"
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    os.wait()
    return said


def test_what_is_out_of_reach_is_named_with_mode_and_owner(tmp_path: Path) -> None:
    path = tmp_path / "closed" / "queue.db"
    opened(path).close()
    path.parent.chmod(0)

    said = as_an_ordinary_user(lambda: Store.open(path))

    path.parent.chmod(0o700)
    assert said.startswith(f"StoreUnavailableError: {path} can't be opened: ")
    assert f", its owner user {os.geteuid()}" in said
    assert " has mode 0" in said


# Transactions


def test_a_transaction_is_all_or_nothing_also_nested(path: Path) -> None:
    store = opened(path)

    def fail_inside() -> None:
        with store.transaction():
            enqueue(store)
            with store.transaction():
                enqueue(store)
                raise QueuectlError("no")

    with pytest.raises(QueuectlError, match="no"):
        fail_inside()
    assert store.jobs.list() == []
    assert enqueue(store) > 0
    store.close()


def test_a_transaction_that_sqlite_gave_up_leaves_nothing_open(path: Path) -> None:
    """As when the disk is full: the transaction is gone already when the block ends."""

    def give_up() -> None:
        with store.transaction():
            enqueue(store)
            connection(store).execute("ROLLBACK")

    with closing(opened(path)) as store, closing(apsw.Connection(str(path))) as other:
        with pytest.raises(apsw.SQLError, match="no transaction is active"):
            give_up()
        other.execute("BEGIN IMMEDIATE; ROLLBACK")  # nobody holds the lock
        assert store.jobs.list() == []
        with store.transaction():
            enqueue(store)
        assert len(store.jobs.list()) == 1


def test_a_commit_that_fails_keeps_nothing(path: Path) -> None:
    orphan = "INSERT INTO attempts (job_id, number, worker_id, host, started_at) VALUES (99, 1, 'w', 'h', 0)"

    def break_a_constraint() -> None:
        with store.transaction():
            enqueue(store)
            connection(store).execute(f"PRAGMA defer_foreign_keys=ON; {orphan}")

    with closing(opened(path)) as store:
        with pytest.raises(apsw.ConstraintError):
            break_a_constraint()
        assert not connection(store).in_transaction
        assert store.jobs.list() == []


def test_a_column_that_came_while_the_queue_was_open_is_read_by_its_name(path: Path) -> None:
    with closing(opened(path)) as store, closing(apsw.Connection(str(path))) as newer:
        store.settings.set("lease", "9s")
        assert store.database.run("settings") == [{"key": "lease", "value": "9s"}]
        assert store.database.run("workers") == []
        newer.execute("ALTER TABLE workers ADD COLUMN more TEXT DEFAULT 'x'")
        newer.execute(
            "INSERT INTO workers (id, host, pid, pid_mark, slots, queues, started_at, beat_at)"
            " VALUES ('w', 'h', 1, 'm', 1, '[]', 0, 0)"
        )
        (row,) = store.database.run("workers")
        assert (row["id"], row["more"]) == ("w", "x")


def test_ids_are_never_used_again(path: Path) -> None:
    store = opened(path)
    first = enqueue(store)
    store.history.forget([first])

    assert enqueue(store) == first + 1
    store.close()


# Backup


def test_backup_of_a_busy_queue_is_whole(path: Path) -> None:
    writer, other = opened(path), opened(path)
    for _ in range(50):
        enqueue(writer)
    with writer.transaction():
        enqueue(writer)
        other.backup(path.parent / "copy.db")

    with closing(apsw.Connection(str(path.parent / "copy.db"), flags=apsw.SQLITE_OPEN_READONLY)) as copy:
        assert copy.pragma("integrity_check") == "ok"
    restored = opened(path.parent / "copy.db", create=False)
    assert restored.jobs.counts()[JobState.PENDING] == 50
    for store in (writer, other, restored):
        store.close()
    assert sorted(file.name for file in path.parent.iterdir()) == ["copy.db", "queue.db"]


@pytest.mark.parametrize("kind", ["file", "folder", "dangling link", "the queue itself"])
def test_backup_never_overwrites(path: Path, kind: str) -> None:
    store = opened(path)
    enqueue(store)
    target = path.parent / "copy.db"
    match kind:
        case "file":
            target.write_text("precious")
        case "folder":
            target.mkdir()
        case "dangling link":
            target.symlink_to("nowhere")
        case _:
            target = path
    before = sorted(path.parent.iterdir())

    with pytest.raises(ConflictError, match="exists already"):
        store.backup(target)

    assert sorted(path.parent.iterdir()) == before
    assert kind != "file" or target.read_text() == "precious"
    assert len(store.jobs.list()) == 1
    store.close()


def test_backup_into_a_missing_folder_is_said(path: Path) -> None:
    store = opened(path)
    with pytest.raises(StoreUnavailableError, match="No such file or directory"):
        store.backup(path.parent / "nowhere" / "copy.db")
    store.close()
