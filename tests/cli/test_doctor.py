"""`queuectl doctor`, as people and programs see it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.cli.conftest import Cli, clean_environment, in_process
from tests.cli.test_surroundings import on_a_terminal

CHECKS = [
    "queue", "integrity", "rows", "files", "wal", "filesystem", "disk", "sqlite", "workers", "outputs", "sources",
    "clock", "zones", "config",
]  # fmt: skip


def plain(shown: str) -> str:
    return re.sub(r"\x1b\[\d*m", "", shown).replace("\r\n", "\n")


def test_all_is_well(cli: Cli):
    cli("config", "set", "max-retries", "5")
    result = cli("doctor")
    assert (result.code, result.err) == (0, "")
    *lines, last = result.out.splitlines()
    assert [line.split()[:3] for line in lines] == [["✓", "ok", check] for check in CHECKS]
    assert last == "all is well: 14 checks"
    assert "1 setting beside the defaults" in lines[-1]


def test_warnings_alone_are_no_failure(cli: Cli):
    cli("enqueue", "true")
    result = cli("doctor")
    assert result.code == 0
    assert "! warning  workers     1 job pending, and no worker runs\n" in result.out
    assert "\n                       → start one: queuectl run" in result.out
    assert result.out.endswith("\n1 warning, 13 ok\n")


def test_a_problem_is(cli: Cli, tmp_path: Path):
    (tmp_path / "queue.db").write_bytes(b"to do")
    result = cli("doctor")
    assert (result.code, result.err) == (1, "")
    assert result.out.startswith("✗ problem  queue ")
    assert (
        "restore a backup: stop all workers, move queue.db, queue.db-wal and queue.db-shm away" in result.out
    )
    assert (tmp_path / "queue.db").read_bytes() == b"to do"


def test_for_programs(cli: Cli):
    found = cli("doctor", "-o", "json")
    assert found.code == 1
    assert set(found.json[0]) == {"check", "status", "found", "advice", "exit_code"}
    assert (found.json[0]["check"], found.json[0]["status"]) == ("queue", "problem")
    assert {row["status"] for row in found.json[1:]} == {"ok"}
    lines = cli("doctor", "--quick", "-o", "jsonl").out.splitlines()
    assert len(lines) == len(found.json)


def test_the_exit_code_of_other_commands_is_told(cli: Cli, tmp_path: Path):
    (tmp_path / "queue.db").write_bytes(b"to do")
    first = cli("doctor", "-o", "json").json[0]
    assert first["exit_code"] == cli("list").code == 5


def test_it_makes_nothing(cli: Cli, tmp_path: Path):
    assert cli("--db", "new/queue.db", "doctor").code == 1
    assert list(tmp_path.iterdir()) == []


def test_it_fits_a_terminal(tmp_path: Path):
    in_process(tmp_path, "enqueue", "true")
    tmp_path.joinpath("queue.db").chmod(0o644)
    for columns in (80, 60, 132):
        code, shown = on_a_terminal(
            tmp_path, "doctor", COLUMNS=str(columns), QUEUECTL_LEAS="3s", TZ="garbage"
        )
        lines = plain(shown).splitlines()
        assert code == 0
        assert max(len(line) for line in lines if "/" not in line) <= columns  # a path is never broken
        assert {line[:11] for line in lines[:-1]} == {"✓ ok       ", "! warning  ", " " * 11}


def test_colours_follow_the_terminal_and_no_color(tmp_path: Path):
    in_process(tmp_path, "enqueue", "true")
    assert "\x1b[33m! warning" in on_a_terminal(tmp_path, "doctor")[1]
    assert "\x1b" not in on_a_terminal(tmp_path, "doctor", NO_COLOR="1")[1]
    assert "\x1b" not in in_process(tmp_path, "doctor").stdout.decode()


def test_what_it_names_can_not_steer_a_terminal(tmp_path: Path):
    folder = tmp_path / "a\x1b[2Jb"
    folder.mkdir(0o700)
    _, shown = on_a_terminal(tmp_path, "doctor", "--db", str(folder / "q.db"), NO_COLOR="1")
    assert "\x1b" not in shown
    assert "a\\e[2Jb" in shown


def test_only_doctor_loads_its_checks(tmp_path: Path):
    script = (
        "import sys; from queuectl.cli.main import run; run(['status']);"
        "print([name for name in sys.modules if 'doctor' in name])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=clean_environment(tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_while_workers_run(tmp_path: Path):
    in_process(tmp_path, "enqueue", "exec sleep 30")
    worker = subprocess.Popen(
        [sys.executable, "-m", "queuectl", "run", "--log-level", "error"], env=clean_environment(tmp_path)
    )
    try:
        while b"1 worker, 1 of 4 slots busy" not in (done := in_process(tmp_path, "doctor")).stdout:
            assert worker.poll() is None
        assert done.returncode == 0, done.stdout.decode()
        assert b"all is well" in done.stdout
    finally:
        worker.terminate()
        in_process(tmp_path, "cancel", "1")
        worker.wait(20)


def test_restoring_as_it_says(cli: Cli, tmp_path: Path):
    cli("enqueue", "true", "--key", "precious")
    cli("backup", "copy.db")
    (tmp_path / "queue.db").write_bytes(b"\0" * 16 + (tmp_path / "queue.db").read_bytes()[16:])
    assert cli("list").code == 5
    assert "restore a backup" in cli("doctor").out
    for path in tmp_path.glob("queue.db*"):
        path.rename(tmp_path / f"damaged-{path.name}")
    (tmp_path / "copy.db").rename(tmp_path / "queue.db")
    assert cli("doctor").code == 0
    assert [job["key"] for job in cli("list", "-o", "json").json] == ["precious"]
