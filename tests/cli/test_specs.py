"""Jobs as code: apply, diff, validate, next, fires, spec, trigger, schema."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, clean_environment, in_process


def test_apply_prints_its_plan(cli: Cli, jobs_d: Path):
    first = cli("apply", "jobs.d")
    assert first.code == 0
    assert first.out.splitlines()[-1] == "applied: 2 created"
    assert first.out.splitlines()[0].startswith("+ nightly  ")
    assert re.search(r"    next: \S+Z = \d{4}-\d\d-\d\d 04:00:00 CES?T  \(in ", first.out)
    assert "    runs once now\n" in first.out
    again = cli("apply", "jobs.d")
    assert (again.code, again.out) == (0, "= 2 unchanged\napplied: 2 unchanged\n")


def test_apply_shows_changes_and_prunes(cli: Cli, jobs_d: Path):
    cli("apply", "jobs.d")
    (jobs_d / "once.yaml").unlink()
    (jobs_d / "nightly.yaml").write_text(
        'command: echo nightly\nschedule: "0 5 * * *"\ntimezone: Europe/Berlin\nretries: 5\n'
    )
    out = cli("apply", "jobs.d").out
    assert "~ nightly\n" in out
    assert "    schedule.cron: 0 4 * * * → 0 5 * * *\n" in out
    assert "    retries: (not set) → 5\n" in out
    assert "? once  not in the files any more; it runs on, --prune removes it\n" in out
    pruned = cli("apply", "jobs.d", "--prune", "--yes")
    assert "- once\n" in pruned.out
    assert pruned.out.endswith("applied: 1 pruned, 1 unchanged\n")
    assert [spec["name"] for spec in cli("spec", "list", "-o", "json").json] == ["nightly"]


def test_apply_as_json(cli: Cli, jobs_d: Path):
    (jobs_d / "README.txt").write_text("no spec")
    result = cli("apply", "jobs.d", "-o", "json")
    assert [one["name"] for one in result.json["created"]] == ["nightly", "once"]
    assert result.json["unchanged"] == 0
    assert "passed over: " in result.err


def test_a_dry_run_changes_nothing(cli: Cli, jobs_d: Path, tmp_path: Path):
    result = cli("apply", "jobs.d", "--dry-run")
    assert (result.code, result.out.splitlines()[-1]) == (0, "dry run, nothing was changed: 2 created")
    assert not (tmp_path / "queue.db").exists()
    cli("apply", "jobs.d")
    before = (tmp_path / "queue.db").read_bytes()
    (jobs_d / "once.yaml").unlink()
    assert cli("apply", "jobs.d", "--dry-run", "--prune", "-o", "json").json["pruned"] == ["once"]
    assert (tmp_path / "queue.db").read_bytes() == before


def test_diff(cli: Cli, jobs_d: Path):
    first = cli("diff", "jobs.d")
    assert (first.code, first.out.splitlines()[-1]) == (1, "apply would change: 2 created")
    cli("apply", "jobs.d")
    same = cli("diff", "jobs.d")
    assert (same.code, same.out) == (0, "= 2 unchanged\nno changes\n")
    (jobs_d / "once.yaml").write_text("command: echo twice\n")
    changed = cli("diff", "jobs.d", "-o", "json")
    assert changed.code == 1
    assert changed.json["updated"][0]["changes"] == [
        {"field": "command", "old": "echo once", "new": "echo twice"}
    ]
    (jobs_d / "once.yaml").unlink()
    assert cli("diff", "jobs.d").code == 0
    assert cli("diff", "jobs.d", "--prune").code == 1


def test_adopt_and_source(cli: Cli, jobs_d: Path):
    cli("apply", "jobs.d", "--source", "a")
    other = cli("apply", "jobs.d", "--source", "b")
    assert other.code == 1
    assert "--adopt" in other.err
    assert cli("diff", "jobs.d", "--source", "b", "--adopt").code == 1
    assert cli("apply", "jobs.d", "--source", "b", "--adopt").code == 0
    assert {spec["source"] for spec in cli("spec", "list", "-o", "json").json} == {"b"}
    assert cli("spec", "list", "--source", "a", "-o", "json").json == []


def test_a_bad_file_and_nothing_is_applied(cli: Cli, jobs_d: Path, tmp_path: Path):
    (jobs_d / "bad.yaml").write_text("command: date\nretrys: 3\npriority: high\n")
    for command in ("apply", "diff", "validate", "next"):
        result = cli(command, "jobs.d")
        assert (result.code, result.out) == (3, ""), command
        assert "jobs.d/bad.yaml:2:1" in result.err
        assert "did you mean" in result.err
        assert "jobs.d/bad.yaml:3:" in result.err
    assert cli("spec", "list", "-o", "json").json == []


def test_validate_needs_no_queue(cli: Cli, jobs_d: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("QUEUECTL_DB", "/dev/null/nowhere")
    assert cli("validate", "jobs.d").out == "2 specs in 2 files: ok\n"
    found = cli("validate", "jobs.d", "-o", "json").json
    assert found["valid"] is True
    assert [spec["name"] for spec in found["specs"]] == ["nightly", "once"]


def test_warnings_go_to_stderr(cli: Cli, jobs_d: Path):
    (jobs_d / "pipe.yaml").write_text("command: pg_dump main | gzip\n")
    result = cli("validate", "jobs.d", "-o", "json")
    assert len(result.json["warnings"]) == 1
    assert result.err.startswith("warning: ")
    assert result.err.count("\n") == 1
    assert cli("validate", "--strict", "jobs.d").code == 3
    assert cli("apply", "jobs.d").err == result.err


def test_next(cli: Cli, jobs_d: Path):
    wanted = [
        {"spec": "nightly", "due_at": "2026-03-28T03:00:00Z", "local": "2026-03-28 04:00:00 CET"},
        {"spec": "nightly", "due_at": "2026-03-29T02:00:00Z", "local": "2026-03-29 04:00:00 CEST"},
    ]
    arguments = ["--count", "2", "--from", "2026-03-28", "-o", "json"]
    assert cli("next", "jobs.d", *arguments).json == wanted
    assert cli("next", *arguments).json == []
    cli("apply", "jobs.d")
    assert cli("next", *arguments).json == wanted
    assert cli("next", "--spec", "nightly", *arguments).json == wanted
    assert cli("next", "--count", "3").out.count("nightly") == 3
    assert cli("next", "--spec", "nightli").code == 1
    assert cli("next", "--from", "soon").code == 2


def test_spec_list_and_show(cli: Cli, jobs_d: Path, tmp_path: Path):
    cli("apply", "jobs.d", "--source", "mine")
    lines = cli("spec", "list").out.splitlines()
    assert lines[0].split()[:2] == ["SPEC", "SCHEDULE"]
    assert lines[1].startswith("nightly  0 4 * * *  in ")
    shown = cli("spec", "show", "nightly").out
    for part in ("nightly, version 1", "echo nightly", "At 04:00", "(mine)", "Europe/Berlin", "applied"):
        assert part in shown, shown
    detail = cli("spec", "show", "nightly", "-o", "json").json
    assert (detail["schedule"], detail["timezone"], detail["paused"]) == ("0 4 * * *", "Europe/Berlin", False)
    unknown = cli("spec", "show", "nightli")
    assert (unknown.code, unknown.err) == (
        1,
        "queuectl: there is no spec 'nightli', did you mean 'nightly'?\n",
    )


def test_spec_pause_resume_delete(cli: Cli, jobs_d: Path):
    cli("apply", "jobs.d")
    assert cli("spec", "pause", "nightly").out == "spec nightly is paused\n"
    assert "paused" in cli("spec", "list").out
    assert cli("spec", "list", "-o", "json").json[0]["paused"] is True
    assert "paused" in cli("spec", "show", "nightly").out
    assert cli("spec", "pause", "nightly", "--reason", "disk is full").out == "spec nightly is paused\n"
    assert "disk is full" in cli("spec", "list").out
    assert "disk is full" in cli("spec", "show", "nightly").out
    assert cli("spec", "resume", "nightly").out == "spec nightly is resumed\n"
    assert cli("spec", "pause", "once").code == 1
    assert cli("spec", "delete", "nightly", "--yes").out == "spec nightly is deleted\n"
    assert [spec["name"] for spec in cli("spec", "list", "-o", "json").json] == ["once"]


def test_trigger(cli: Cli, jobs_d: Path, tmp_path: Path):
    cli("apply", "jobs.d")
    assert cli("trigger", "nightly").out == "nightly: job 2 is pending\n"
    assert cli("trigger", "nightly", "once", "-o", "json").json[0]["spec"] == "nightly"
    assert cli("trigger", "nightly", "nope").code == 1
    assert cli("get", "nightly", "-o", "json").json["id"] == 3
    assert in_process(tmp_path, "run", "--until-idle").returncode == 0
    assert cli("wait", "nightly").out == "job 3 is completed\n"


def test_fires(cli: Cli, tmp_path: Path, jobs_d: Path):
    (jobs_d / "often.yaml").write_text("command: 'true'\nschedule: {every: 1h}\n")
    assert in_process(tmp_path, "run", "jobs.d", "--until-idle").returncode == 0
    ledger = cli("fires", "often", "-o", "json").json
    assert [(fire["spec"], fire["outcome"]) for fire in ledger] == [("often", "fired")]
    assert cli("fires", "--since", "1h").out.splitlines()[1].split()[0] == "often"
    assert cli("fires", "oftn").code == 1
    assert cli("fires", "--since", "someday").code == 2


def test_run_with_a_path_applies_and_says_so(cli: Cli, tmp_path: Path, jobs_d: Path):
    done = in_process(tmp_path, "run", "jobs.d", "--until-idle", "--slots", "2", "--log-format", "json")
    assert done.returncode == 0
    applied, *log = done.stderr.decode().splitlines()
    assert applied.startswith("applied ")
    assert applied.endswith(": 2 created")
    events = [json.loads(line)["event"] for line in log]
    assert events[0] == "worker started"
    assert "completed" in events
    assert cli("logs", "once").out == "once\n"


def test_get_names_the_file_and_the_commit(cli: Cli, tmp_path: Path, jobs_d: Path):
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-C", str(tmp_path)]
    for arguments in (["init", "-q"], ["add", "jobs.d"], ["commit", "-q", "-m", "specs"]):
        subprocess.run([*git, *arguments], check=True)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout
    cli("apply", "jobs.d")
    page = cli("get", "once").out
    assert "once, version 1\n" in page
    assert f"from commit {commit[:12]}\n" in page
    assert "jobs.d/once.yaml" in page
    assert f"from commit {commit[:12]}\n" in cli("spec", "show", "once").out


def test_schema(cli: Cli):
    assert "$schema" in cli("schema").json


@pytest.mark.parametrize("command", ["apply", "run"])
def test_invalid_files_make_no_queue(cli: Cli, tmp_path: Path, command: str):
    (tmp_path / "bad.yaml").write_text("comand: date\n")
    assert cli(command, "bad.yaml").code == 3
    assert [path.name for path in tmp_path.iterdir()] == ["bad.yaml"]


def test_labels_choose_specs_and_jobs(cli: Cli, tmp_path: Path):
    (tmp_path / "jobs.yaml").write_text(
        "jobs:\n"
        "  load: {command: 'true', labels: {team: data, tier: 1}}\n"
        "  mail: {command: 'true', labels: {team: web, tier: 1}}\n"
        "  bare: {command: 'true'}\n"
    )
    cli("apply", "jobs.yaml")

    def chosen(*words: str) -> tuple[list[str], list[str]]:
        specs, jobs = cli("spec", "list", *words, "-o", "json"), cli("list", *words, "-o", "json")
        return sorted(row["name"] for row in specs.json), sorted(row["spec"] for row in jobs.json)

    assert chosen("--label", "team=data") == (["load"], ["load"])
    assert chosen("--label", "tier=1") == (["load", "mail"], ["load", "mail"])
    assert chosen("--label", "tier=1", "--label", "team=web") == (["mail"], ["mail"])
    assert chosen("--label", "team=nobody") == ([], [])
    assert cli("list", "--label", "team").code == 2


def test_spec_show_writes_references_as_get_does(cli: Cli, tmp_path: Path):
    (tmp_path / "job.yaml").write_text("command: env\nenv: {TOKEN: {from_env: T}, B: x}\nenv_file: .env\n")
    cli("apply", "job.yaml")
    shown = cli("spec", "show", "job").out
    assert "TOKEN=(from_env T)\n" in shown
    assert "B=***\n" in shown
    assert f"{tmp_path}/.env\n" in shown


def test_next_shows_whole_instants_on_a_narrow_terminal(tmp_path: Path):
    (tmp_path / "a-name-that-is-rather-long-for-its-column.yaml").write_text(
        "command: x\nschedule: {every: 15m}\n"
    )
    program = (
        "import sys; sys.stdout.isatty = lambda: True\n"
        "from queuectl.cli.main import run; sys.exit(run(['next', '.']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=clean_environment(tmp_path), cwd=tmp_path, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert re.search(r"T\d\d:\d\d:\d\dZ +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC +now", done.stdout), (
        done.stdout + done.stderr
    )
