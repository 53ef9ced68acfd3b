"""D01, D02, D10–D14, D19, D20: a queue that many use, that somebody blocks, or that lies in a strange place."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import warnings
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from queuectl.model.job import NewJob
from queuectl.model.spec import JobSpec
from queuectl.model.states import JobState
from queuectl.store.filesystem import NETWORK, is_network, network_filesystem, type_of
from queuectl.store.listing import JobFilter
from queuectl.store.store import Store
from tests.command import Queuectl
from tests.faults.machine import need, need_tool
from tests.faults.pace import SLACK_S, SOAK_MINUTES

BUSY_S = 60 if SOAK_MINUTES else 5
HISTORY = 1_000_000 if SOAK_MINUTES else 50_000

_USER = """
import subprocess, sys, time
until, *argv = sys.argv[1:]
said = []
while time.time() < float(until):
    done = subprocess.run(argv, capture_output=True, text=True)
    said.append((done.returncode, done.stderr))
print(len(said))
bad = [one for one in said if one != (0, "")]
sys.exit(repr(bad) if bad else 0)
"""


def is_whole(path: Path) -> bool:
    with closing(apsw.Connection(str(path))) as connection:
        return connection.pragma("integrity_check") == "ok"


def test_d01_eight_processes_at_once_never_see_it_locked(queuectl: Queuectl) -> None:
    queuectl("enqueue", "true")
    workers = [queuectl.start("run", "--slots", "2") for _ in range(3)]
    until = str(time.time() + BUSY_S)
    users = [
        subprocess.Popen(
            [sys.executable, "-c", _USER, until, *queuectl.argv(*arguments)],
            cwd=queuectl.folder,
            env=queuectl.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for arguments in (
            ["enqueue", "true"],
            ["enqueue", "true"],
            ["enqueue", "-"],
            ["list", "-o", "json"],
            ["queue", "list"],
        )
    ]
    queuectl.started += users
    said = [user.communicate(timeout=BUSY_S + queuectl.deadline_s) for user in users]
    assert [error for _, error in said] == [""] * len(users)
    made = 1 + sum(int(out) for out, _ in said[:2])
    assert made > 4
    counts = queuectl.wait_until(
        lambda: queuectl.look(
            lambda store: (found := store.jobs.counts())[JobState.COMPLETED] == made and found
        ),
        "all ran",
    )
    assert sum(counts.values()) == made
    for number, worker in enumerate(workers):
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(SLACK_S) == 0
        log = (queuectl.folder / f"run{number}.log").read_text()
        assert "busy" not in log
        assert "locked" not in log
    assert is_whole(queuectl.db)


def test_d02_a_command_waits_for_a_lock_but_not_for_ever_and_a_worker_keeps_its_jobs(
    queuectl: Queuectl,
) -> None:
    queuectl("enqueue", "sleep 1; echo ran >>ran")
    worker = queuectl.start("run")
    queuectl.wait_until(lambda: queuectl.states() == {1: "processing"}, "it runs")
    with closing(apsw.Connection(str(queuectl.db))) as blocker:
        blocker.set_busy_timeout(5000)
        blocker.execute("BEGIN EXCLUSIVE")
        assert [job["state"] for job in queuectl.json("list")] == ["processing"], "reading waits for nobody"
        started = time.monotonic()
        done = queuectl.run("enqueue", "true")
        waited = time.monotonic() - started
        assert done.returncode == 4
        assert (
            done.stderr
            == f"queuectl: {queuectl.db} is busy: another process has been writing to it; try again\n"
        )
        assert 5 < waited < 10 + SLACK_S
        assert worker.poll() is None
        assert queuectl.states() == {1: "processing"}
        blocker.execute("ROLLBACK")
    queuectl.wait_until(lambda: queuectl.states() == {1: "completed"}, "what ended meanwhile is written")
    assert (queuectl.folder / "ran").read_text() == "ran\n"
    log = (queuectl.folder / "run0.log").read_text()
    assert 1 <= log.count("store unavailable") <= 2 + waited / 10
    assert worker.poll() is None


def test_d10_a_backup_of_a_busy_queue_is_whole(queuectl: Queuectl) -> None:
    queuectl("enqueue", "-", stdin=f"echo {'x' * 2000}\n" * 300)
    worker = queuectl.start("run", "--slots", "2")
    sizes = []
    for number in range(4):
        copy = queuectl.folder / f"copy{number}.db"
        queuectl("backup", str(copy))
        assert copy.stat().st_mode & 0o777 == 0o600
        assert is_whole(copy)
        with closing(Store.open(copy, create=False) or Store.empty()) as store:
            jobs, completed = store.jobs.list(limit=999), store.jobs.counts()[JobState.COMPLETED]
            attempts = [
                one for job in jobs for one in store.attempts.of_job(job.id) if one.outcome == "succeeded"
            ]
        assert len(jobs) == 300 + number
        assert len(attempts) == completed, "as of one instant"
        sizes.append(completed)
        queuectl("enqueue", "true")
    worker.kill()
    assert sizes == sorted(sizes)
    assert {path.name for path in queuectl.folder.glob("*copy*")} <= {
        f"copy{number}.db{end}" for number in range(4) for end in ("", "-wal", "-shm")
    }
    copy = queuectl.folder / "copy3.db"
    queuectl("run", "--until-idle", QUEUECTL_DB=str(copy))
    assert {job["state"] for job in queuectl.json("list", "--limit", "0")} <= {
        "completed",
        "pending",
        "processing",
    }


def test_d11_a_log_that_a_reader_keeps_growing_is_warned_of_and_shrinks_again(queuectl: Queuectl) -> None:
    queuectl("enqueue", "true")
    worker = queuectl.start("run", "--queue", "none")
    run_log, log = queuectl.folder / "run0.log", queuectl.db.with_name("q.db-wal")
    queuectl.wait_until(lambda: "worker started" in run_log.read_text(), "a worker runs")

    def write(megabytes: int) -> None:
        for _ in range(megabytes):
            spec = JobSpec(command="x" * (1 << 20))
            job = NewJob(frozen=spec, state=JobState.SCHEDULED, run_at=2**42)
            store.jobs.enqueue_many([job], now=0)

    with closing(Store.open(queuectl.db, durability="normal") or Store.empty()) as store:
        with closing(apsw.Connection(str(queuectl.db))) as reader:
            reader.execute("BEGIN")
            assert list(reader.execute("SELECT COUNT(*) FROM jobs")) == [(1,)]
            write(40)
            assert "write-ahead log grows" not in run_log.read_text()
            write(40)
            assert log.stat().st_size > 64 << 20
            queuectl.wait_until(lambda: "write-ahead log grows" in run_log.read_text(), "it is warned of")
            time.sleep(0.3)  # several polls
            reader.execute("ROLLBACK")
        queuectl.wait_until(
            lambda: write(2) or log.stat().st_size <= 64 << 20, "it shrinks with the next writes"
        )
    assert run_log.read_text().count("write-ahead log grows") == 1, "once, until it has doubled"
    assert worker.poll() is None


@pytest.mark.parametrize("use", ["read", "write", "transaction", "backup"])
def test_d12_a_connection_is_of_no_use_in_a_forked_process(tmp_path: Path, use: str) -> None:
    store = Store.open(tmp_path / "q.db")
    assert store is not None
    job = NewJob(frozen=JobSpec(command="true"), state=JobState.PENDING, run_at=0)
    assert store.jobs.enqueue(job, now=0)
    store.database.listen()
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # of newer Pythons, where the tests' own process has threads
        child = os.fork()
    if child == 0:
        try:
            match use:
                case "read":
                    store.jobs.list()
                case "write":
                    store.jobs.enqueue(job, now=0)
                case "backup":
                    store.backup(tmp_path / "copy.db")
                case _:
                    with store.transaction():
                        pass
            said = "nothing"
        except RuntimeError as error:
            said = str(error)
        store.close()
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    assert f"was opened by process {os.getpid()}" in said
    assert list((tmp_path / "q.wake").iterdir()), "its parent's socket is still there"
    assert store.jobs.enqueue(job, now=0)
    store.close()
    assert is_whole(tmp_path / "q.db")


def test_d13_an_sqlite_that_may_damage_a_queue_is_warned_of(queuectl: Queuectl) -> None:
    site = queuectl.folder / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text("import apsw\napsw.sqlite_lib_version = lambda: '3.51.2'\n")
    path = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
    queuectl("enqueue", "true")
    done = queuectl.run("run", "--until-idle", PYTHONPATH=path)
    assert done.returncode == 0
    assert "SQLite 3.51.2 may damage a queue" in done.stderr
    assert "apsw 3.51.3 or newer" in done.stderr
    assert "SQLite" not in queuectl.run("run", "--until-idle").stderr
    doctor = queuectl.run("doctor", PYTHONPATH=path)
    assert "SQLite 3.51.2 has the WAL-reset bug" in doctor.stdout


MOUNTS = """\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
40 27 0:41 / /srv/a rw,relatime shared:12 - nfs4 box:/a rw,vers=4.2
41 27 0:42 / /srv/b\\040c rw,relatime shared:13 master:1 - 9p share rw
42 27 0:43 / /tmp rw - tmpfs tmpfs rw
43 27 0:44 / /srv/d rw - fuse.sshfs box: rw
44 27 0:45 / /srv/e rw - overlay overlay rw,lowerdir=/a
"""


@pytest.mark.parametrize(
    ("device", "kind", "refused"),
    [
        ((254, 0), "ext4", False),
        ((0, 41), "nfs4", True),
        ((0, 42), "9p", True),
        ((0, 43), "tmpfs", False),
        ((0, 44), "fuse.sshfs", True),
        ((0, 45), "overlay", False),
        ((0, 4), None, False),
    ],
)
def test_d14_a_file_system_is_known_by_its_device(
    device: tuple[int, int], kind: str | None, refused: bool
) -> None:
    assert type_of(MOUNTS, os.makedev(*device)) == kind
    assert is_network(kind) is refused
    assert {"nfs", "cifs", "smb3", "ceph"} <= NETWORK


def test_d14_a_queue_on_a_network_is_refused(queuectl: Queuectl) -> None:
    """The kernel's list of mounts says that the temporary folder is one."""
    need(
        sys.platform == "linux" and os.getuid() == 0,
        "root on Linux, to change what a process sees of its mounts",
    )
    need_tool("unshare")
    assert network_filesystem(queuectl.folder) is None
    folder = queuectl.folder / "disk"
    folder.mkdir()
    with_mounts = (
        'mount -t tmpfs -o size=4m tmpfs "$1"; sed "s/ tmpfs / nfs4 /" </proc/self/mountinfo >"$1.mounts"'
    )
    hidden = 'mount --bind "$1.mounts" /proc/$$/mountinfo; shift; exec "$@"'
    there = subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True)
    need(there.returncode == 0, "the right to have mounts of one's own")
    away = queuectl.under("unshare", "--mount", "sh", "-c", f"{with_mounts}; {hidden}", "sh", str(folder))
    away.env = queuectl.env | {"QUEUECTL_DB": str(folder / "q.db")}
    for arguments in (["enqueue", "true"], ["list"], ["run", "--until-idle"]):
        done = away.run(*arguments)
        assert done.returncode == 4, done.stderr
        assert f"{folder}/q.db is on nfs4, a network file system" in done.stderr
        assert "local disk" in done.stderr


def steps(store: Store, act: object) -> int:
    """Return how many steps SQLite's machine takes for something."""
    taken = 0

    def count(event: dict[str, object]) -> None:
        nonlocal taken
        status = event["stmt_status"]
        assert isinstance(status, dict)
        taken += status["SQLITE_STMTSTATUS_VM_STEP"]

    connection = store.database._connection  # type: ignore[attr-defined]
    connection.trace_v2(apsw.SQLITE_TRACE_PROFILE, count)
    try:
        assert callable(act)
        act()
    finally:
        connection.trace_v2(0, None)
    return taken


def test_d19_a_long_history_makes_no_claim_and_no_page_slower(tmp_path: Path) -> None:
    def cost(finished: int) -> dict[str, int]:
        store = Store.open(tmp_path / f"{finished}.db", durability="normal")
        assert store is not None
        connection = store.database._connection  # type: ignore[attr-defined]
        with store.transaction():
            frozen = '{"command":"true"}'
            connection.execute(
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
                " INSERT INTO jobs (frozen, state, queue, priority, run_at, created_at, updated_at, finished_at)"
                " SELECT ?, iif(i % 10, 'completed', 'dead'), 'default', 0, i, i, i, i FROM n",
                (finished, frozen),
            )
            waiting = NewJob(frozen=JobSpec(command="true"), state=JobState.PENDING, run_at=0)
            store.jobs.enqueue_many([waiting] * 10, now=0)
        claim = {"worker": "w", "host": "h", "queues": (), "outputs": ["o"], "idle": True, "now": 1}
        acts = {
            "claim": lambda: store.jobs.claim(**claim),  # type: ignore[arg-type]
            "list": lambda: store.jobs.list(limit=50),
            "page": lambda: store.jobs.list(JobFilter(before_id=finished // 2), limit=50),
            "dead": lambda: store.jobs.list(JobFilter(states={JobState.DEAD}), limit=50),
            "counts": store.jobs.counts,
            "deadline": store.next_deadline,
        }
        found = {name: steps(store, act) for name, act in acts.items()}
        store.close()
        return found

    few, many = cost(1_000), cost(HISTORY)
    assert min(few.values()) > 0
    assert {name: many[name] for name in many if many[name] > few[name] * 1.5 + 50} == {}


def test_d20_a_queue_with_two_names_is_one_queue_and_a_hard_link_is_warned_of(queuectl: Queuectl) -> None:
    queuectl("enqueue", "true")
    link, hard = queuectl.folder / "link.db", queuectl.folder / "hard.db"
    link.symlink_to(queuectl.db)
    reader = Store.open(queuectl.db)
    assert reader is not None
    done = queuectl.run("enqueue", "true", QUEUECTL_DB=str(link))
    assert (done.returncode, done.stderr) == (0, "")
    assert len(reader.jobs.list()) == 2, "both go through the same log"
    reader.close()
    assert {path.name for path in queuectl.folder.glob("*.db*")} == {"q.db", "link.db"}
    hard.hardlink_to(queuectl.db)
    for name in (queuectl.db, hard, link):
        done = queuectl.run("list", QUEUECTL_DB=str(name))
        assert done.returncode == 0
        assert "has 2 names (hard links)" in done.stderr
        assert done.stderr.count("\n") == 1
    hard.unlink()
    assert queuectl.run("list").stderr == ""
