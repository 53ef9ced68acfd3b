"""Doctor: each check finds what it is for, says what to do, and changes nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from queuectl.engine.mark import process_mark
from queuectl.model.spec import EnvRef, JobSpec, Schedule
from queuectl.service.context import Context
from queuectl.service.doctor import Finding, examine, place, zones
from queuectl.store import library
from queuectl.store.health import Health
from queuectl.store.specs import RememberedFile
from tests.service.conftest import Clock
from tests.store.conftest import Bench

EVERY_CHECK = {
    "queue", "integrity", "rows", "files", "wal", "filesystem", "disk", "sqlite", "workers", "outputs", "sources",
    "clock", "zones", "config",
}  # fmt: skip


KILLED = """
import apsw, os, sys
connection = apsw.Connection(sys.argv[1])
connection.execute("INSERT INTO settings VALUES ('max_retries', 'x')")
os._exit(0)
"""


class Doctor:
    """Examines the queue of a context."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.environ = {"QUEUECTL_DB": str(ctx.path)}

    def __call__(self, check: str | None = None, *, quick: bool = False) -> list[Finding]:
        """What is found, or what one check finds."""
        found = list(examine(None, quick=quick, environ=self.environ, now=self.ctx.now))
        return [finding for finding in found if check in {None, finding.check}]

    def bad(self, check: str, *, quick: bool = False) -> Finding:
        """The one thing that a check has against the queue, and which has an advice of one line."""
        (finding,) = self(check, quick=quick)
        assert finding.status != "ok"
        assert finding.advice
        assert "\n" not in finding.advice
        return finding


@pytest.fixture
def doctor(ctx: Context) -> Doctor:
    return Doctor(ctx)


@pytest.fixture
def bench(ctx: Context) -> Bench:
    return Bench(ctx.store)


def change(ctx: Context, sql: str) -> None:
    """Do to the database what no verb does."""
    connection = apsw.Connection(str(ctx.path))
    connection.execute(f"PRAGMA ignore_check_constraints=ON; PRAGMA writable_schema=ON; {sql}")
    connection.close()


def register(
    ctx: Context, worker: str, *, pid: int, host: str | None = None, mark: str | None = None
) -> None:
    ctx.store.workers.register(
        worker=worker, host=host or os.uname().nodename, pid=pid, pid_mark=mark or process_mark(pid) or "gone",
        slots=2, queues=[], now=ctx.now(),
    )  # fmt: skip


def gone_pid() -> int:
    done = subprocess.Popen(["true"])
    done.wait()
    return done.pid


def apply(ctx: Context, *specs: JobSpec) -> None:
    apply_id = ctx.store.specs.record_apply(
        at=ctx.now(), who="ada", source="s", git_commit=None, git_dirty=None
    )
    for spec in specs:
        ctx.store.specs.write(
            spec, source="s", file="jobs.d/x.yaml", apply_id=apply_id, next_due_at=None, next_fire_at=None,
            now=ctx.now(),
        )  # fmt: skip


def test_a_queue_that_is_well(doctor: Doctor) -> None:
    found = doctor()
    assert [finding for finding in found if finding.status != "ok"] == []
    assert {finding.check for finding in found} == EVERY_CHECK
    assert all(finding.advice is None and finding.exit_code is None for finding in found)


def test_quick_leaves_the_rows_out(doctor: Doctor) -> None:
    found = doctor(quick=True)
    assert {finding.check for finding in found} == EVERY_CHECK - {"rows"}
    assert "quick check" in doctor("integrity", quick=True)[0].found


# Nothing is made or changed


def everything(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    return {
        path.name: (path.read_bytes() if path.is_file() else b"", path.stat().st_mtime_ns, path.stat().st_ino)
        for path in folder.iterdir()
    }


def test_a_queue_that_is_missing(tmp_path: Path) -> None:
    found = list(examine(str(tmp_path / "new" / "q.db"), environ={}))
    assert (found[0].check, found[0].status, found[0].exit_code) == ("queue", "problem", None)
    assert "there is no queue at" in found[0].found
    assert {finding.status for finding in found[1:]} == {"ok"}
    assert list(tmp_path.iterdir()) == []


def test_a_queue_that_nobody_has_open_stays_as_it_is(ctx: Context, doctor: Doctor) -> None:
    ctx.store.close()
    before = everything(ctx.path.parent)
    assert set(before) == {"queue.db"}
    assert {finding.check for finding in doctor()} == EVERY_CHECK
    assert everything(ctx.path.parent) == before


def test_what_a_kill_left_in_the_log_is_seen_and_stays_there(ctx: Context, doctor: Doctor) -> None:
    ctx.store.close()
    subprocess.run([sys.executable, "-c", KILLED, ctx.path], check=True)
    before = everything(ctx.path.parent)
    assert before["queue.db-wal"][0]
    assert "max-retries" in doctor.bad("config").found
    after = everything(ctx.path.parent)
    assert after["queue.db"] == before["queue.db"]
    assert after["queue.db-wal"] == before["queue.db-wal"]


def test_a_queue_that_comes_into_use_meanwhile_is_not_said_to_be_damaged(
    ctx: Context, doctor: Doctor, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(50):
        bench.enqueue()
    ctx.store.close()
    faults = Health.faults

    def overtaken(health: Health, *, quick: bool) -> list[str]:
        connection = apsw.Connection(str(ctx.path))
        connection.execute("DELETE FROM jobs; PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        return ["row 1 missing from index", *faults(health, quick=quick)]

    monkeypatch.setattr(Health, "faults", overtaken)
    found = doctor.bad("integrity")
    assert (found.status, found.advice) == ("warning", "ask again")


# The queue and what is in it


def spoiled(path: Path, at: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


def test_files_that_are_no_queue(tmp_path: Path, ctx: Context) -> None:
    ctx.store.close()
    for name, content, says, way_out in (
        ("empty.db", b"", "is empty", "restore a backup"),
        ("text.db", b"to do: " * 100, "is no SQLite database", "restore a backup"),
        ("foreign.db", ctx.path.read_bytes()[:68] + bytes(4) + ctx.path.read_bytes()[72:], "another program", "--db"),
        ("newer.db", ctx.path.read_bytes()[:60] + b"\0\0\1\0" + ctx.path.read_bytes()[64:], "newer", "upgrade"),
    ):  # fmt: skip
        path = tmp_path / name
        path.write_bytes(content)
        first, *rest = examine(str(path), environ={})
        assert (first.check, first.status, first.exit_code) == ("queue", "problem", 5)
        assert says in first.found
        assert way_out in (first.advice or "")
        assert {finding.status for finding in rest} == {"ok"}
        assert path.read_bytes() == content


def test_a_log_without_its_queue(tmp_path: Path) -> None:
    (tmp_path / "q.db-wal").write_bytes(b"x")
    first, *_ = examine(str(tmp_path / "q.db"), environ={})
    assert (first.status, first.exit_code) == ("problem", 5)
    assert [path.name for path in tmp_path.iterdir()] == ["q.db-wal"]


def test_garbage_in_a_page(ctx: Context, doctor: Doctor, bench: Bench) -> None:
    for _ in range(50):
        bench.enqueue()
    ctx.store.close()
    spoiled(ctx.path, 4096 * 5, os.urandom(4096))
    found = doctor.bad("integrity")
    assert (found.status, found.exit_code) == ("problem", 5)
    assert "restore a backup: stop all workers" in (found.advice or "")
    assert doctor("zones")[0].status == "ok"


@pytest.mark.parametrize(
    ("part", "missing"), [("TABLE fires", "table fires"), ("INDEX jobs_due", "index jobs_due")]
)
def test_a_part_is_missing(ctx: Context, doctor: Doctor, part: str, missing: str) -> None:
    change(ctx, f"DROP {part}")
    found = doctor.bad("integrity")
    assert (found.status, found.exit_code) == ("problem", 5)
    assert missing in found.found


def test_rows_without_the_one_they_belong_to(ctx: Context, doctor: Doctor, bench: Bench) -> None:
    bench.processing()
    change(ctx, "PRAGMA foreign_keys=OFF; DELETE FROM jobs")
    assert "1 row belong" in doctor.bad("integrity").found


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("UPDATE jobs SET frozen = '{' WHERE id = 2", "job 2"),
        ("UPDATE jobs SET frozen = CAST(x'7b22ff' AS TEXT) WHERE id = 2", "job 2"),
        ("UPDATE jobs SET reason = CAST(x'ff' AS TEXT) WHERE id = 2", "job 2"),
        ("UPDATE jobs SET state = 'pendinq' WHERE id = 2", "job 2"),
        ("UPDATE attempts SET error = CAST(x'ff' AS TEXT)", "attempt 1 of job 1"),
        ("UPDATE specs SET body = '[]'", "spec nightly"),
        ("UPDATE spec_versions SET body = ''", "version 1 of spec nightly"),
    ],
)
def test_damage_that_sqlite_does_not_see(
    ctx: Context, doctor: Doctor, bench: Bench, sql: str, what: str
) -> None:
    bench.processing()
    bench.enqueue()
    apply(ctx, JobSpec(name="nightly", command="true"))
    change(ctx, sql)
    found = doctor.bad("rows")
    assert found.status == "problem"
    assert found.found.startswith(f"1 row can't be read: {what} ")


# Its files and where they are


def test_modes(ctx: Context, doctor: Doctor) -> None:
    ctx.path.chmod(0o644)
    found = doctor.bad("files")
    assert found.status == "warning"
    assert "queue.db: mode 0644" in found.found
    assert found.advice == f"chmod go-rwx {ctx.path}"


def test_the_tokens_of_the_dashboard_are_its_owner_s_alone(ctx: Context, doctor: Doctor) -> None:
    tokens = ctx.path.with_suffix(".tokens")
    tokens.touch(0o600)
    assert doctor("files")[0].status == "ok"
    tokens.chmod(0o640)
    assert doctor.bad("files").advice == f"chmod go-rwx {tokens}"


def test_a_folder_for_everybody(ctx: Context, doctor: Doctor) -> None:
    ctx.path.parent.chmod(0o777)
    assert "everybody may replace" in doctor.bad("files").found
    ctx.path.parent.chmod(0o1777)
    assert doctor("files")[0].status == "ok"


def test_another_name_of_the_file(ctx: Context, doctor: Doctor, tmp_path: Path) -> None:
    (tmp_path / "other.db").hardlink_to(ctx.path)
    found = doctor.bad("files")
    assert "2 names" in found.found
    assert "-samefile" in (found.advice or "")


def test_a_log_that_has_grown(ctx: Context, doctor: Doctor) -> None:
    ctx.store.close()
    wal = ctx.path.with_name("queue.db-wal")
    wal.touch(0o600)
    os.truncate(wal, 65 << 20)
    assert "65MiB" in doctor.bad("wal").found


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to give a file away")
def test_a_file_of_another_user(ctx: Context, doctor: Doctor) -> None:
    os.chown(ctx.path.with_name("queue.db-wal"), 65534, 65534)
    found = doctor.bad("files")
    assert found.status == "problem"
    assert "queue.db-wal belongs to nobody, the queue to root" in found.found
    assert (found.advice or "").startswith("chown root ")


@pytest.mark.parametrize("kind", ["nfs4", "fuse.sshfs", "CIFS"])
def test_a_network_file_system(doctor: Doctor, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(place, "network_filesystem", lambda _: kind)
    found = doctor.bad("filesystem")
    assert (found.status, found.exit_code) == ("problem", 4)


@pytest.mark.parametrize(("limit", "status"), [("LITTLE", "warning"), ("TOO_LITTLE", "problem")])
def test_little_room(doctor: Doctor, monkeypatch: pytest.MonkeyPatch, limit: str, status: str) -> None:
    monkeypatch.setattr(place, limit, 1 << 62)
    assert doctor.bad("disk").status == status


def test_versions_of_sqlite(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "version", lambda: "3.40.1")
    assert "3.40.1 has the WAL-reset bug" in doctor.bad("sqlite").found
    monkeypatch.setattr(library, "version", lambda: "3.51.3")
    assert doctor("sqlite")[0].status == "ok"


# Who works


def test_nobody_runs_what_waits(ctx: Context, doctor: Doctor, bench: Bench, clock: Clock) -> None:
    bench.enqueue(state="scheduled", run_at=ctx.now() + 60_000)
    assert "jobs are to run later, and no worker runs" in doctor.bad("workers").found
    clock.pass_by(90_000)
    assert "due for 30 s, and no worker runs" in doctor.bad("workers").found
    bench.enqueue()
    found = doctor.bad("workers")
    assert found.found == "1 job pending, and no worker runs"
    assert "queuectl run" in (found.advice or "")
    register(ctx, "w1", pid=os.getpid())
    assert doctor("workers")[0].found == "1 worker, 0 of 2 slots busy"


def test_the_only_worker_is_paused(ctx: Context, doctor: Doctor, bench: Bench) -> None:
    bench.enqueue()
    register(ctx, "w1", pid=os.getpid())
    ctx.store.workers.pause("w1", now=ctx.now())
    assert "worker resume" in (doctor.bad("workers").advice or "")


def test_a_worker_that_died(ctx: Context, doctor: Doctor, bench: Bench) -> None:
    register(ctx, "w1", pid=gone_pid())
    bench.processing(worker="w1")
    found = doctor.bad("workers")
    assert "is dead; it holds 1 job" in found.found
    assert "queuectl run" in (found.advice or "")
    register(ctx, "w2", pid=os.getpid())
    assert doctor.bad("workers").advice == "another worker takes its jobs back"


def test_a_worker_whose_lease_is_over(ctx: Context, doctor: Doctor, clock: Clock) -> None:
    register(ctx, "w1", pid=1, host="far", mark="x")
    clock.pass_by(31_000)
    assert "not been heard of for 31 s, its lease is over" in doctor.bad("workers").found


@pytest.fixture
def asleep() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "600"])
    yield process
    process.kill()
    process.wait()


def test_a_worker_that_is_stopped(
    ctx: Context, doctor: Doctor, clock: Clock, asleep: subprocess.Popen[bytes]
) -> None:
    register(ctx, "w1", pid=asleep.pid)
    asleep.send_signal(signal.SIGSTOP)
    until = time.monotonic() + 10
    while doctor("workers")[0].status == "ok":
        assert time.monotonic() < until
    assert f"kill -CONT {asleep.pid}" in (doctor.bad("workers").advice or "")
    clock.pass_by(60_000)
    assert "SIGSTOP" in doctor.bad("workers").found


def test_jobs_of_a_worker_that_is_registered_no_more(doctor: Doctor, bench: Bench) -> None:
    bench.processing(worker="w9")
    assert "1 job of workers that are gone" in doctor.bad("workers").found


def test_queues_that_are_held_back(ctx: Context, doctor: Doctor, bench: Bench) -> None:
    bench.enqueue(queue="mail")
    ctx.store.workers.register(
        worker="w1", host=os.uname().nodename, pid=os.getpid(), pid_mark=process_mark(os.getpid()) or "", slots=1,
        queues=["other"], now=ctx.now(),
    )  # fmt: skip
    assert "no worker serves queue mail" in doctor.bad("workers").found
    ctx.store.queues.pause("mail", who="ada@mill", now=ctx.now())
    found = doctor.bad("workers")
    assert "paused by ada@mill" in found.found
    assert "queuectl queue resume mail" in (found.advice or "")


# Outputs


@pytest.fixture
def logs(ctx: Context) -> Path:
    ctx.log_dir.mkdir(mode=0o700)
    return ctx.log_dir


def old(path: Path, size: int = 1) -> None:
    path.write_bytes(bytes(size))
    os.utime(path, (1, 1))


def test_files_of_no_attempt(ctx: Context, doctor: Doctor, bench: Bench, logs: Path) -> None:
    register(ctx, "11111111-2222-3333-4444-555555555555", pid=os.getpid())
    bench.processing()
    for name in ("1-1.log", "11111111-2222-3333-4444-555555555555-0.log", "notes.txt"):
        old(logs / name)
    assert doctor("outputs")[0].status == "ok"
    old(logs / "1-2.log", 1024)
    old(logs / "99999999-2222-3333-4444-555555555555-7.log", 1024)
    (logs / "5-5.log").touch()  # just now: its attempt is about to be written
    found = doctor.bad("outputs")
    assert found.found.startswith("2 files (2KiB)")
    assert "1-2.log, 99999999-" in (found.advice or "") or "rm 1-2.log" in (found.advice or "")


def test_attempts_whose_file_is_gone(ctx: Context, doctor: Doctor, bench: Bench, logs: Path) -> None:
    job = bench.processing()
    bench.finish(job, output_file="1-1.log", output_bytes=100_000)
    assert "1 output of attempts" in doctor.bad("outputs").found
    assert doctor("outputs", quick=True)[0].status == "ok"
    (logs / "1-1.log").touch()
    assert doctor("outputs")[0].status == "ok"


# Specs, clock, zones, settings


def test_sources_that_everybody_may_change(ctx: Context, doctor: Doctor, tmp_path: Path) -> None:
    folder = tmp_path / "jobs.d"
    folder.mkdir()
    (folder / "x.yaml").touch()
    remembered = RememberedFile(path=str(folder / "x.yaml"), digest="d", specs=())
    ctx.store.specs.remember_files([remembered], source="s")
    assert doctor("sources")[0].status == "ok"
    folder.chmod(0o777)
    assert doctor.bad("sources").advice == f"chmod o-w {folder}"


def test_files_that_specs_name(ctx: Context, doctor: Doctor, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    apply(ctx, JobSpec(name="dump", command="true", env={"TOKEN": EnvRef(from_file=str(secret))}))
    assert f"{secret}, which dump needs, is not there" in doctor.bad("sources").found
    secret.touch(0o600)
    assert doctor("sources")[0].status == "ok"
    secret.chmod(0o666)
    assert "everybody may write" in doctor.bad("sources").found


def test_specs_that_left_the_files(ctx: Context, doctor: Doctor) -> None:
    apply(ctx, JobSpec(name="dump", command="true"))
    ctx.store.specs.orphan("dump")
    assert "--prune" in (doctor.bad("sources").advice or "")


def test_a_clock_that_was_set_back(ctx: Context, doctor: Doctor, bench: Bench, clock: Clock) -> None:
    bench.enqueue(now=ctx.now() + 4_000, run_at=ctx.now())
    assert doctor("clock")[0].status == "ok"
    bench.enqueue(now=ctx.now() + 7_200_000, run_at=ctx.now())
    assert "2h from now: the clock was set back" in doctor.bad("clock").found
    clock.now = 60_000
    assert doctor.bad("clock").status == "problem"
    assert "1970-01-01" in doctor.bad("clock").found


def test_a_zone_that_is_not_known(ctx: Context, doctor: Doctor) -> None:
    apply(
        ctx,
        JobSpec(name="dump", command="true", schedule=Schedule(cron=("@daily",), timezone="Europe/Atlantis")),
    )
    found = doctor.bad("zones")
    assert found.status == "problem"
    assert "Europe/Atlantis, the time zone of dump" in found.found


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("Europe/Berln", "warning"), ("garbage", "warning"), ("Europe/Berlin", "ok"), ("", "ok"), ("CET-1CEST", "ok"),
        (":/etc/localtime", "ok"),
    ],
)  # fmt: skip
def test_tz_in_the_environment(doctor: Doctor, name: str, status: str) -> None:
    doctor.environ["TZ"] = name
    assert doctor("zones")[0].status == status


def test_rules_of_zones(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zones, "_system_version", lambda: "2019c")
    monkeypatch.setattr(zones, "_package_version", lambda: "2025.2")
    assert "those of 2019c" in doctor.bad("zones").found
    monkeypatch.setattr(zones, "A_ZONE", "Europe/Atlantis")
    assert doctor.bad("zones").status == "problem"


def test_settings_that_can_not_be_used(ctx: Context, doctor: Doctor) -> None:
    ctx.store.settings.set("backoff_base", "soon")
    doctor.environ |= {"QUEUECTL_MAX_RETRY": "3", "QUEUECTL_LEASE": "20s", "QUEUECTL_JOB_ID": "1"}
    stored, unknown = doctor("config")
    assert (stored.status, stored.exit_code) == ("problem", 2)
    assert stored.advice == "queuectl config unset backoff-base"
    assert unknown.status == "warning"
    assert "QUEUECTL_MAX_RETRIES" in (unknown.advice or "")
    del doctor.environ["QUEUECTL_MAX_RETRY"]
    ctx.store.settings.unset("backoff_base")
    assert doctor("config")[0].found == "1 setting beside the defaults"
    doctor.environ["QUEUECTL_HEARTBEAT"] = "15s"
    assert "half the lease" in doctor.bad("config").found


def test_damage_that_other_checks_meet(ctx: Context, doctor: Doctor) -> None:
    register(ctx, "w1", pid=os.getpid())
    change(ctx, "UPDATE workers SET queues = '['")
    found = doctor("rows")
    assert [finding.status for finding in found] == ["ok", "problem"]
    assert found[1].found.startswith("worker w1 is damaged")


def test_a_check_that_fails_hides_none_of_the_others(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zones, "_package_version", lambda: 1 / 0)
    assert "can't be looked at: ZeroDivisionError" in doctor.bad("zones").found
    assert {finding.check for finding in doctor()} == EVERY_CHECK
