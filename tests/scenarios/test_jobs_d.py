"""The specs in jobs.d/ do on this machine what they say, in a checkout and a queue of their own."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tests.command import Queuectl

ROOT = Path(__file__).parents[2]
ONE_SHOTS = {"greeting", "tools", "surroundings"}
SCHEDULED = {"backup-queue", "disk-usage", "git-maintenance", "heartbeat", "spec-drift", "weekly-report"}


@pytest.fixture
def jobs_d(queuectl: Queuectl) -> Path:
    """A copy of jobs.d in a git checkout. Its disk is never too full."""
    queuectl.env |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CEILING_DIRECTORIES": str(queuectl.folder.parent)}
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        queuectl.env.pop(name, None)  # set while a git hook runs the tests
    copy = shutil.copytree(ROOT / "jobs.d", queuectl.folder / "jobs.d")
    _edit(copy / "disk-usage.yaml", "LIMIT: 90", "LIMIT: 100")
    _git(queuectl, "init", "--quiet")
    _git(queuectl, "add", "jobs.d")
    _git(queuectl, "-c", "user.name=N", "-c", "user.email=n@example.org", "commit", "--quiet", "-m", "Jobs")
    return copy


def test_they_apply_without_a_warning_and_do_their_work(queuectl: Queuectl, jobs_d: Path) -> None:
    backups = queuectl.folder / "backups"
    backups.mkdir()
    old = [backups / f"queue-2020010{day}T020000Z.db" for day in range(1, 9)]
    for file in old:
        file.touch()
    applied = queuectl.run("apply", "jobs.d")
    assert (applied.returncode, applied.stderr) == (0, "")
    assert {fire["spec"] for fire in queuectl.json("next")} == SCHEDULED
    queuectl("trigger", *SCHEDULED)
    queuectl("run", "--until-idle")
    jobs = queuectl.json("list")
    assert {job["state"] for job in jobs} == {"completed"}
    assert {job["spec"] for job in jobs} == ONE_SHOTS | SCHEDULED

    assert os.uname().nodename in queuectl("logs", "greeting")
    assert "the dead letter queue is empty" in queuectl("logs", "weekly-report")
    assert "count: 0" in _git(queuectl, "count-objects", "-v").splitlines(), "no loose objects"
    assert (queuectl.folder / "heartbeat").read_text().startswith("20")
    kept = sorted(backups.iterdir())
    assert kept[:-1] == old[-6:]
    with closing(sqlite3.connect(kept[-1])) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert copy.execute("SELECT count(*) FROM jobs").fetchone()[0] >= len(SCHEDULED)


def test_what_is_wrong_is_found(queuectl: Queuectl, jobs_d: Path) -> None:
    _edit(jobs_d / "disk-usage.yaml", "LIMIT: 100", "LIMIT: -1")
    shutil.rmtree(queuectl.folder / ".git")
    queuectl("apply", "jobs.d")
    _edit(jobs_d / "heartbeat.yaml", "every: 5m", "every: 6m")
    queuectl("trigger", "disk-usage", "git-maintenance", "spec-drift")
    queuectl("run", "--until-idle", code=1)
    dead = {job["spec"]: (job["exit_code"], job["attempt"]) for job in queuectl.json("dlq", "list")}
    assert dead == {"disk-usage": (1, 1), "git-maintenance": (128, 1), "spec-drift": (1, 1)}
    assert queuectl("logs", "disk-usage").endswith("% is more than -1 %\n")
    assert "heartbeat" in queuectl("logs", "spec-drift")


def test_editors_find_the_schema() -> None:
    specs = [*ROOT.glob("jobs.d/**/*.yaml"), *ROOT.glob("examples/*/jobs.d/*.yaml")]
    assert len(specs) >= 12
    for spec in specs:
        modeline, schema = spec.read_text(encoding="utf-8").split("\n", 1)[0].split("=")
        assert modeline == "# yaml-language-server: $schema"
        assert (spec.parent / schema).resolve() == ROOT / "schemas" / "job.schema.json", spec


def _edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def _git(queuectl: Queuectl, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=queuectl.folder, env=queuectl.env, capture_output=True, text=True, check=True
    )
    return done.stdout
