"""D05–D09, D15, D21: a queue that can't be written, is damaged, is none, or has lost a part."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import apsw
import pytest

from queuectl.store.migrations import APPLICATION_ID, LATEST
from tests.command import Queuectl
from tests.faults.machine import NOBODY, need
from tests.faults.ordinary import hand_over, ordinary_users_queue
from tests.faults.pace import SLACK_S

EVERY_KIND = (
    ["list"],
    ["status"],
    ["enqueue", "true"],
    ["apply", "jobs.d"],
    ["run", "--until-idle"],
    ["config", "set", "lease", "9s"],
    ["backup", "copy.db"],
    ["worker", "list"],
)


def parts(queuectl: Queuectl) -> dict[str, bytes]:
    """Return all that lies beside the queue."""
    return {path.name: path.read_bytes() for path in queuectl.folder.glob("q.db*")}


def refused(queuectl: Queuectl, *arguments: str, code: int) -> str:
    """Run a command that fails in one clear line; return the line."""
    done = queuectl.run(*arguments)
    assert done.returncode == code, f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert done.stderr.startswith("queuectl: ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    return done.stderr


def sql(queuectl: Queuectl, statements: str) -> None:
    connection = apsw.Connection(str(queuectl.db))
    connection.execute(statements)
    connection.close()


def flip(path: Path, what: bytes, *, count: int = 50, mask: int = 0xFF) -> None:
    """Change the bytes of the file from where `what` stands."""
    data = bytearray(path.read_bytes())
    assert data.count(what) >= 1, what
    at = -1
    while (at := data.find(what, at + 1)) >= 0:
        for place in range(at, at + count):
            data[place] ^= mask
    path.write_bytes(data)


@pytest.mark.parametrize("modes", [(0o444, 0o555), (0o444, 0o755), (0o600, 0o555), (0o000, 0o755)])
def test_d05_a_queue_that_cannot_be_written_says_whose_it_is(modes: tuple[int, int]) -> None:
    with ordinary_users_queue() as queuectl:
        queuectl("enqueue", "true")
        queuectl.spec("nightly", "command: date\nschedule: '@daily'\n")
        before = parts(queuectl)
        queuectl.db.chmod(modes[0])
        queuectl.folder.chmod(modes[1])
        shown = queuectl.run("list", "-o", "json")
        assert shown.returncode in {0, 4}
        for arguments in EVERY_KIND if shown.returncode else EVERY_KIND[2:-2]:
            said = refused(queuectl, *arguments, code=4)
            assert f"{queuectl.db} can't be " in said
            assert (
                f"mode {'is ' if modes[0] != 0o600 else ''}{modes[0] if modes[0] != 0o600 else modes[1]:04o}"
                in said
            )
            assert f"its owner user {NOBODY if queuectl.before else os.getuid()}" in said
        queuectl.folder.chmod(0o755)
        queuectl.db.chmod(0o600)
        assert parts(queuectl)["q.db"] == before["q.db"]


def zeros_in_header(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(bytes(16))


def truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def text(path: Path) -> None:
    path.write_text("groceries:\n" + "- milk\n" * 50)


def foreign(path: Path) -> None:
    path.unlink()
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE songs (title); INSERT INTO songs VALUES ('Hey Jude')")
    connection.close()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def newer(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.execute(f"PRAGMA user_version={LATEST + 1}")
    connection.close()


def no_tables(path: Path) -> None:
    path.unlink()
    connection = apsw.Connection(str(path))
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}; CREATE TABLE x (y); DROP TABLE x")
    connection.close()


def check_refused(queuectl: Queuectl, spoil: Callable[[Path], None], says: str) -> None:
    queuectl("enqueue", "true")
    queuectl.spec("nightly", "command: date\nschedule: '@daily'\n")
    spoil(queuectl.db)
    before = parts(queuectl)
    for arguments in EVERY_KIND:
        assert says in refused(queuectl, *arguments, code=5)
        assert parts(queuectl) == before
    assert not (queuectl.folder / "copy.db").exists()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (zeros_in_header, "is no SQLite database, so it is no queue; it was left as it is"),
        (truncated, "is damaged (database disk image is malformed)"),
        (text, "is no SQLite database, so it is no queue; it was left as it is"),
        (foreign, "is a database of another program; it was left as it is"),
    ],
)
def test_d06_what_is_no_queue_is_refused_and_left_as_it_is(
    queuectl: Queuectl, spoil: Callable[[Path], None], says: str
) -> None:
    check_refused(queuectl, spoil, says)


def test_d06_a_garbage_page_is_named_and_left_as_it_is(queuectl: Queuectl) -> None:
    queuectl("enqueue", "-", stdin="".join(f"echo {number} {'x' * 400}\n" for number in range(400)))
    page_bytes = 4096
    page = queuectl.db.read_bytes().index(b"echo 200 ") // page_bytes
    with queuectl.db.open("r+b") as file:
        file.seek(page * page_bytes)
        file.write(bytes(range(256)) * 16)
    before = parts(queuectl)
    said = refused(queuectl, "list", "--limit", "0", code=5)
    assert "is damaged" in said
    assert "backup" in said
    assert "queuectl doctor" in said
    assert parts(queuectl) == before
    refused(queuectl, "backup", "copy.db", code=5)
    assert not (queuectl.folder / "copy.db").exists()


@pytest.mark.parametrize(
    ("spoil", "says"), [(empty, "is empty, so it is no queue"), (no_tables, "its tables are gone")]
)
def test_d07_a_queue_that_is_empty_is_not_made_again(
    queuectl: Queuectl, spoil: Callable[[Path], None], says: str
) -> None:
    check_refused(queuectl, spoil, says)


def test_d07_a_missing_table_is_damage(queuectl: Queuectl) -> None:
    queuectl("enqueue", "true")
    sql(queuectl, "DROP TABLE jobs")
    for arguments in (["list"], ["enqueue", "true"], ["cancel", "1"], ["run", "--log-level", "error"]):
        said = refused(queuectl, *arguments, code=5)
        assert "is damaged (no such table: " in said
        assert "jobs)" in said


@pytest.mark.parametrize("mask", [0xFF, 0x01], ids=["no text", "other text"])
def test_d08_a_damaged_job_stops_no_other(queuectl: Queuectl, mask: int) -> None:
    """SQLite does not see it; where it is still text, its JSON is none."""
    for name in ("before", "broken", "after"):
        queuectl("enqueue", f"echo {name} >>ran", "--key", f"key-of-{name}")
    flip(queuectl.db, b'{"command":"echo broken', mask=mask)
    listed = queuectl.run("list", "-o", "json")
    assert listed.returncode == 0
    assert '"id": 1,' in listed.stdout
    assert '"id": 3,' in listed.stdout
    assert "warning: job 2 is damaged in the database" in listed.stderr
    assert "job 2 is damaged" in refused(queuectl, "get", "2", code=5)

    worker = queuectl.start("run", "--slots", "1")
    queuectl.wait_until(
        lambda: (queuectl.folder / "ran").exists() and "after" in (queuectl.folder / "ran").read_text(),
        "the others run",
    )
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(SLACK_S) == 0
    assert (queuectl.folder / "ran").read_text() == "before\nafter\n"
    log = (queuectl.folder / "run0.log").read_text()
    assert log.count("job 2 is damaged") == 1
    counts = queuectl.look(lambda store: store.jobs.counts())
    assert {state.value: number for state, number in counts.items() if number} == {"completed": 2, "dead": 1}
    assert queuectl("purge", "--state", "dead", "--yes")
    assert queuectl.run("list").stderr == ""


def test_d08_a_job_that_only_an_index_holds_for_pending_blocks_no_queue(queuectl: Queuectl) -> None:
    queuectl("enqueue", "echo broken >>ran")
    queuectl("enqueue", "echo after >>ran")
    data = bytearray(queuectl.db.read_bytes())
    at = data.index(b"pending", data.index(b'{"command":"echo broken'))
    data[at : at + 7] = b"pXnding"
    queuectl.db.write_bytes(data)
    worker = queuectl.start("run", "--slots", "1")
    queuectl.wait_until((queuectl.folder / "ran").exists, "the other one runs")
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(SLACK_S) == 0
    assert (queuectl.folder / "ran").read_text() == "after\n"


@pytest.mark.parametrize("mask", [0xFF, 0x01], ids=["no text", "other text"])
def test_d08_a_damaged_spec_stops_no_other_and_is_mended_by_its_file(queuectl: Queuectl, mask: int) -> None:
    queuectl.spec("good", "command: echo good >>../ran\nschedule: {every: 1s, overlap: allow}\n")
    queuectl.spec("broken", "command: echo broken >>../ran\nschedule: {every: 1s, overlap: allow}\n")
    queuectl.spec("late", "command: echo late\nrun_at: 2100-01-01T00:00:00Z\n")
    queuectl("apply", "jobs.d")
    ran = queuectl.folder / "ran"
    queuectl("run", "--until-idle")
    assert sorted(set(ran.read_text().split())) == ["broken", "good"]
    ran.unlink()
    connection = apsw.Connection(str(queuectl.db))
    ((body,),) = connection.execute("SELECT CAST(body AS BLOB) FROM specs WHERE name = 'broken'")
    connection.close()
    flip(queuectl.db, body[:60], mask=mask)

    listed = queuectl.run("spec", "list", "-o", "json")
    assert listed.returncode == 0
    assert "warning: spec broken is damaged in the database" in listed.stderr
    assert listed.stdout.count('"damaged": true') == 1
    assert listed.stdout.count('"damaged": false') == 2
    assert "damaged" in queuectl("spec", "list")
    for arguments in (["trigger", "broken"], ["spec", "show", "broken"], ["spec", "pause", "broken"]):
        assert "until its file is applied again" in refused(queuectl, *arguments, code=5)

    worker = queuectl.start("run")
    queuectl.wait_until(lambda: ran.exists() and ran.read_text().count("good") >= 2, "the other spec fires")
    assert "broken" not in ran.read_text()
    assert worker.poll() is None
    assert "spec=broken" in (queuectl.folder / "run0.log").read_text()
    assert "damaged: true → false" in queuectl("apply", "jobs.d")
    assert queuectl.run("spec", "list").stderr == ""
    queuectl.wait_until(lambda: "broken" in ran.read_text(), "it fires again")
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(SLACK_S) == 0
    ledger = queuectl.look(lambda store: store.fires.list(spec="broken", limit=10_000))
    covered = sorted((fire.due_at, fire.until or fire.due_at) for fire in ledger)
    assert all(late - early <= 1000 for (_, early), (late, _) in pairwise(covered)), "none is left out"
    assert list(queuectl.states().values()).count("scheduled") == 1, (
        "a job that was made once is not made again"
    )


def test_d08_a_damaged_spec_can_be_deleted(queuectl: Queuectl) -> None:
    queuectl.spec("broken", "command: echo broken\nschedule: '@daily'\n")
    queuectl("apply", "jobs.d")
    sql(queuectl, "UPDATE specs SET body = '{'")
    queuectl("spec", "delete", "broken", "--yes")
    assert queuectl.json("spec", "list") == []


def test_d08_damaged_rows_of_a_dead_worker_leave_no_job_stuck(queuectl: Queuectl) -> None:
    """Of three jobs that ran, one is damaged, and of another the attempt."""
    for name in ("one", "two", "three"):
        queuectl("enqueue", f"[ $QUEUECTL_ATTEMPT -gt 1 ] || exec sleep 60; echo {name} >>ran")
    worker = queuectl.start("run")
    queuectl.wait_until(lambda: set(queuectl.states().values()) == {"processing"}, "all run")
    worker.kill()
    worker.wait()
    sql(
        queuectl,
        "UPDATE jobs SET frozen = '{' WHERE id = 2; UPDATE attempts SET host = x'ff' WHERE job_id = 3",
    )
    queuectl.run("run", "--until-idle")
    counts = queuectl.look(lambda store: store.jobs.counts())
    assert {state.value: number for state, number in counts.items() if number} == {"completed": 1, "dead": 2}
    assert (queuectl.folder / "ran").read_text() == "one\n"


def test_d08_damage_elsewhere_hides_nothing(queuectl: Queuectl) -> None:
    queuectl.spec("hourly", "command: date\nschedule: '@hourly'\nkeep: {completed: 3}\n")
    queuectl("apply", "jobs.d")
    queuectl("enqueue", "true")
    queuectl("config", "set", "lease", "9s")
    queuectl("config", "set", "max-retries", "7")
    sql(
        queuectl,
        "UPDATE settings SET value = CAST(x'ff' AS TEXT) WHERE key = 'lease';"
        "UPDATE spec_files SET specs = 'x'; UPDATE specs SET body = body || '\"count\":';"
        "INSERT INTO workers (id, host, pid, pid_mark, slots, queues, started_at, beat_at)"
        " VALUES ('w', 'h', 1, 'm', 1, '[', 0, 0);"
        "INSERT INTO fires (spec, due_at, outcome, count) VALUES ('hourly', 1, 'missed', 'x')",
    )
    for arguments in (
        ["list"],
        ["status"],
        ["worker", "list"],
        ["fires"],
        ["config", "list"],
        ["run", "--until-idle"],
    ):
        done = queuectl.run(*arguments)
        assert done.returncode == 0, (arguments, done.stderr)
        assert "damaged" in done.stderr
    assert "7" in queuectl("config", "get", "max-retries")
    queuectl("config", "unset", "lease")
    queuectl("apply", "jobs.d")
    assert "damaged" not in queuectl.run("list").stderr


@pytest.mark.parametrize("running", [False, True])
def test_d09_a_log_that_was_deleted_is_missed(queuectl: Queuectl, running: bool) -> None:
    queuectl("enqueue", "true")
    worker = queuectl.start("run", "--queue", "none")
    queuectl.wait_until(
        lambda: queuectl.look(lambda store: store.workers.list()), "a worker holds the queue open"
    )
    queuectl("enqueue", "echo precious")
    log = queuectl.db.with_name("q.db-wal")
    if running:
        log.unlink()
        assert worker.wait(SLACK_S) == 4, "nobody else would see what it writes"
        return
    worker.kill()
    worker.wait()
    kept = log.read_bytes()
    log.unlink()
    before = parts(queuectl)
    for arguments in EVERY_KIND[:5]:
        assert f"{log} was deleted after a crash" in refused(queuectl, *arguments, code=5)
        assert parts(queuectl) == before
    log.write_bytes(kept)
    assert queuectl.states() == {1: "pending", 2: "pending"}


def test_d09_a_queue_that_was_deleted_beside_its_log_is_not_made_anew(queuectl: Queuectl) -> None:
    queuectl("enqueue", "true")
    worker = queuectl.start("run", "--queue", "none")
    queuectl.wait_until(
        lambda: queuectl.look(lambda store: store.workers.list()), "a worker holds the queue open"
    )
    worker.kill()
    worker.wait()
    queuectl.db.unlink()
    for arguments in EVERY_KIND[:5]:
        assert "q.db-wal is still there" in refused(queuectl, *arguments, code=5)
    assert not queuectl.db.exists()


@pytest.mark.parametrize("where", ["in the file", "in the log"])
def test_d15_a_newer_queue_is_refused_and_left_as_it_is(queuectl: Queuectl, where: str) -> None:
    if where == "in the file":
        check_refused(queuectl, newer, "was made by a newer queuectl")
        return
    queuectl("enqueue", "true")
    other = apsw.Connection(str(queuectl.db))
    other.execute(f"PRAGMA user_version={LATEST + 1}")
    before = parts(queuectl)
    assert before["q.db-wal"]
    for arguments in EVERY_KIND:
        assert "was made by a newer queuectl" in refused(queuectl, *arguments, code=5)
    after = parts(queuectl)
    other.close()
    assert {name: after[name] for name in ("q.db", "q.db-wal")} == {
        name: before[name] for name in ("q.db", "q.db-wal")
    }


@pytest.mark.parametrize("name", ["q.db-shm", "q.db-wal", "q.db"])
def test_d21_a_file_of_another_user_is_named_with_its_owner(name: str) -> None:
    need(os.getuid() == 0, "root, to make a file of another user")
    with ordinary_users_queue() as queuectl:
        queuectl("enqueue", "true")
        for part in ("q.db-wal", "q.db-shm"):  # as a crash leaves them
            (queuectl.folder / part).touch(0o600)
        hand_over(queuectl)
        foreign_one = queuectl.folder / name
        os.chown(foreign_one, 0, 0)
        foreign_one.chmod(0o600)
        for arguments in EVERY_KIND:
            said = refused(queuectl, *arguments, code=4)
            assert str(foreign_one) in said
            assert "its owner user 0 (root)" in said
