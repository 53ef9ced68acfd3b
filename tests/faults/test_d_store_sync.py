"""D16–D18: migrations, and what is on the disk when a command says so."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from copy import copy
from pathlib import Path

import apsw
import pytest

import queuectl as package
from queuectl.model.job import NewJob
from queuectl.model.spec import JobSpec
from queuectl.model.states import JobState
from queuectl.store.migrations import LATEST
from queuectl.store.store import Store
from tests.command import Queuectl
from tests.faults.machine import need_tool
from tests.faults.pace import SLACK_S
from tests.faults.tracing import killed_at_each

NEXT = """
-- As SQLite has it for what ALTER TABLE can't do: with foreign keys in force all attempts would go.
CREATE TABLE kept AS SELECT * FROM jobs;
DELETE FROM jobs;
INSERT INTO jobs SELECT * FROM kept;
DROP TABLE kept;
ALTER TABLE workers ADD COLUMN note TEXT;
CREATE TABLE notes (id INTEGER PRIMARY KEY, note TEXT NOT NULL);
INSERT INTO notes SELECT id, frozen FROM jobs;
CREATE INDEX notes_note ON notes (note);
"""


@pytest.fixture
def newer(queuectl: Queuectl) -> Queuectl:
    """The command line of the next release, which brings one migration."""
    folder = queuectl.folder / "newer"
    ours = Path(package.__file__).parent
    shutil.copytree(ours, folder / "queuectl", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "queuectl" / "store" / "migrations" / f"{LATEST + 1:04}_next.sql").write_text(NEXT)
    other = copy(queuectl)
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    other.env = queuectl.env | {"PYTHONPATH": path}
    return other


@pytest.fixture
def queuectl(queuectl: Queuectl) -> Queuectl:
    """The command line on a queue with a little of everything in it."""
    queuectl.spec("nightly", "command: date\nschedule: '@daily'\n")
    queuectl("apply", "jobs.d")
    queuectl(
        "enqueue", "-", stdin="echo done\nexit 1\n" + "".join(f"echo {'x' * 500} {n}\n" for n in range(30))
    )
    queuectl("run", "--until-idle", code=1, QUEUECTL_MAX_RETRIES="0")
    queuectl("enqueue", "echo later", "--delay", "1d")
    return queuectl


def version(path: Path) -> int:
    connection = apsw.Connection(str(path))
    try:
        assert connection.pragma("integrity_check") == "ok"
        return int(str(connection.pragma("user_version")))
    finally:
        connection.close()


def schema(path: Path) -> list[tuple[object, ...]]:
    connection = apsw.Connection(str(path))
    try:
        return list(
            connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name")
        )
    finally:
        connection.close()


def content(queuectl: Queuectl) -> object:
    return [
        queuectl.json("list", "--limit", "0"),
        queuectl.json("get", "1"),
        queuectl.json("fires"),
        queuectl.json("spec", "list"),
    ]


def kept(queuectl: Queuectl) -> list[Path]:
    """Return the copies that were made before a migration."""
    return sorted(queuectl.folder.glob("q.db.schema-*"))


def test_d16_an_older_queue_is_brought_up_to_date_and_kept_as_it_was(
    queuectl: Queuectl, newer: Queuectl
) -> None:
    before = content(queuectl)
    done = newer.run("list")
    assert done.returncode == 0
    (copy_of_old,) = kept(queuectl)
    assert f"was brought from schema {LATEST} to {LATEST + 1}" in done.stderr
    assert str(copy_of_old) in done.stderr
    assert version(queuectl.db) == LATEST + 1
    assert content(newer) == before
    assert len(kept(queuectl)) == 1

    fresh = newer.folder / "fresh.db"
    newer("enqueue", "true", QUEUECTL_DB=str(fresh))
    assert schema(queuectl.db) == schema(fresh)
    assert "newer queuectl" in queuectl.run("list").stderr

    assert version(copy_of_old) == LATEST
    assert copy_of_old.stat().st_mode & 0o777 == 0o600
    copy_of_old.rename(queuectl.db)
    assert content(queuectl) == before


def test_d16_a_worker_of_the_older_release_stops(queuectl: Queuectl, newer: Queuectl) -> None:
    queuectl("enqueue", "sleep 1")
    worker = queuectl.start("run")
    queuectl.wait_until(lambda: "processing" in queuectl.states().values(), "it runs a job")
    newer("list")
    assert worker.wait(SLACK_S) == 5
    assert "start it again" in (queuectl.folder / "run0.log").read_text()
    assert [job["state"] for job in newer.json("list", "--limit", "1")] == ["completed"]


def test_d16_without_room_for_a_copy_nothing_is_migrated(queuectl: Queuectl, newer: Queuectl) -> None:
    before = queuectl.db.read_bytes()
    need_tool("strace")
    inject = (
        "strace",
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "trace=fsync",
        "-e",
        "inject=fsync:error=ENOSPC",
    )
    done = newer.under(*inject).run("list")
    assert done.returncode == 4
    assert "no space left" in done.stderr
    assert queuectl.db.read_bytes() == before
    assert kept(queuectl) == []


@pytest.mark.parametrize("call", ["fdatasync", "fsync"])
def test_d17_a_migration_that_is_killed_at_any_sync_is_done_or_not(
    queuectl: Queuectl, newer: Queuectl, call: str
) -> None:
    old, old_schema = queuectl.db.read_bytes(), schema(queuectl.db)
    seen = set()
    for _number, _done in killed_at_each(newer, call, "list"):
        found = version(queuectl.db)
        seen.add(found)
        assert found in {LATEST, LATEST + 1}
        assert (schema(queuectl.db) == old_schema) == (found == LATEST)
        jobs = queuectl.look(lambda store: len(store.jobs.list(limit=99))) if found == LATEST else 33
        assert jobs == 33
        assert all(version(copy_of_old) == LATEST for copy_of_old in kept(queuectl))
        assert found == LATEST or kept(queuectl)
        assert len(newer.json("list", "--limit", "0")) == 33
        for path in queuectl.folder.glob("q.db*"):
            path.unlink(missing_ok=True)
        queuectl.db.write_bytes(old)
    assert LATEST + 1 in seen
    assert call == "fdatasync" or LATEST in seen


def test_d17_of_programs_that_migrate_at_once_one_does_and_the_others_wait(
    queuectl: Queuectl, newer: Queuectl
) -> None:
    programs = [
        subprocess.Popen(
            newer.argv("enqueue", "true"),
            cwd=newer.folder,
            env=newer.env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(5)
    ]
    said = [program.communicate(timeout=newer.deadline_s)[1] for program in programs]
    assert [program.returncode for program in programs] == [0] * 5, said
    assert sum("was brought from schema" in text for text in said) == 1
    assert version(queuectl.db) == LATEST + 1
    assert len(kept(queuectl)) == 1
    assert len(newer.json("list", "--limit", "0")) == 33 + 5


@pytest.mark.parametrize("call", ["fsync", "linkat"])
def test_d17_a_queue_whose_making_is_killed_is_there_or_not_and_leaves_nothing_behind(
    tmp_path: Path, call: str
) -> None:
    queuectl = Queuectl(tmp_path)
    for _number, _done in killed_at_each(queuectl, call, "enqueue", "true"):
        names = {path.name for path in tmp_path.iterdir()}
        assert names <= {"q.db", "q.db-wal", "q.db-shm"}
        if "q.db" in names:
            assert version(queuectl.db) == LATEST
            assert queuectl.run("list").stderr in {"", "no jobs\n"}
        queuectl("enqueue", "true")
        for path in tmp_path.iterdir():
            path.unlink()


def test_d18_a_command_says_nothing_before_it_is_on_the_disk(queuectl: Queuectl) -> None:
    need_tool("strace")
    trace = queuectl.folder / "trace"
    words = ("strace", "-f", "-y", "-o", str(trace), "-e", "trace=fdatasync,fsync,pwrite64,write")
    assert queuectl.under(*words)("enqueue", "echo precious").strip()
    lines = trace.read_text().splitlines()
    log = re.escape(f"{queuectl.db}-wal")
    written = [at for at, line in enumerate(lines) if re.search(rf"pwrite64\(\d+<{log}>", line)]
    synced = [at for at, line in enumerate(lines) if re.search(rf"fdatasync\(\d+<{log}>\) += 0", line)]
    said = next(at for at, line in enumerate(lines) if re.search(r" write\(1<", line))
    assert any(written[-1] < at < said for at in synced), "\n".join(lines)


def cuts(sizes: list[int], frame: int, header: int) -> Iterator[int]:
    """Yield lengths of the log: at each frame's end, and within each."""
    for end in range(header, sizes[-1] + 1, frame):
        yield from (end - frame // 3, end)


@pytest.mark.parametrize("rest", ["gone", "zeros"])
def test_d18_after_a_power_loss_all_is_there_that_was_acknowledged(tmp_path: Path, rest: str) -> None:
    """The power goes at any byte of the log: what comes after it is missing, or was never written."""
    live, dead = tmp_path / "live", tmp_path / "dead"
    live.mkdir()
    dead.mkdir()
    store = Store.open(live / "q.db")
    assert store is not None
    log = live / "q.db-wal"
    sizes = [log.stat().st_size]
    for number in range(8):
        spec = JobSpec(command=f"echo {number} {'x' * 1500}")
        assert store.jobs.enqueue(NewJob(frozen=spec, state=JobState.PENDING, run_at=0), now=0)
        sizes.append(log.stat().st_size)
    image, whole = (live / "q.db").read_bytes(), log.read_bytes()
    store.close()
    assert len(set(sizes)) == len(sizes), "each was written when it was acknowledged"
    lost = 0
    for cut in cuts(sizes, frame=24 + 4096, header=32):
        (dead / "q.db").write_bytes(image)
        left = whole[: max(0, cut)]
        (dead / "q.db-wal").write_bytes(left if rest == "gone" else left.ljust(len(whole), b"\0"))
        after = Store.open(dead / "q.db", create=False)
        assert after is not None
        ids = sorted(job.id for job in after.jobs.list(limit=99))
        assert after.database._connection.pragma("integrity_check") == "ok"  # type: ignore[attr-defined]
        after.close()
        acknowledged = sum(size <= cut for size in sizes[1:])
        assert ids == list(range(1, acknowledged + 1))
        lost += acknowledged < 8
        for path in dead.iterdir():
            path.unlink()
    assert lost > 8
