from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from queuectl.model.spec import JobSpec, LoadedSpec
from queuectl.specs.load import load
from queuectl.specs.written import as_fields, as_yaml

EVERYTHING = """
description: |
  Two
  lines
owner: ada
labels: {team: "no", at: "12:30"}
command: |
  set -e
  pg_dump main
shell: bash
env: {PGHOST: db, PASSWORD: {from_env: SECRET}}
env_file: [a.env, b.env]
schedule: {cron: ["0 2 * * *", "0 4 * * 1-5"], jitter: 5m, catch_up: all, spacing: 1s, overlap: queue, start_within: 1h}
timezone: Europe/Berlin
queue: slow
priority: -5
retries: 0
backoff: {base: 250ms, factor: 1.5, max: 1h30m, jitter: 0.2}
timeout: none
kill_after: 0s
exit_codes: {snooze: [75], dead: ["64-78", 3], success: [0, 1], snooze_for: 5m}
limits: {memory: 1GiB, cpu_time: 10s, open_files: 64, nice: 5}
on_failure: ["echo bad", {webhook: "https://example.org/hook?key=hush", secret: hush}]
on_dead: {notify: "slack://hush"}
params: {day: {type: string, default: today, description: Which day}, n: {type: integer, default: 3}}
concurrency: {key: db, limit: 2, on_conflict: skip}
rate: 10/m
max_log: 12345
keep: {completed: 10, dead: 7d}
paused: true
"""
OTHERS = {
    "list": "command: [echo, 'no', '']\nschedule: {every: 15m}\ntimeout: 10m",
    "once": "command: 'true'\nrun_at: 2027-01-01T00:00:00Z\nretries: 3",
    "plain": "command: 'true'\nschedule: '* * * * *'",
    "after": "command: 'true'\nneeds: [plain, {job: once, on: dead}]",
}


def loaded(folder: Path) -> dict[str, JobSpec]:
    found: list[LoadedSpec] = list(load([folder], default_zone="UTC").specs)
    return {one.spec.name or "": one.spec for one in found}


@pytest.fixture
def specs(tmp_path: Path) -> dict[str, JobSpec]:
    folder = tmp_path / "jobs.d"
    folder.mkdir()
    for name, text in {"everything": EVERYTHING, **OTHERS}.items():
        (folder / f"{name}.yaml").write_text(text)
    return loaded(folder)


def test_what_is_written_is_read_as_the_same_spec(specs: dict[str, JobSpec], tmp_path: Path) -> None:
    again = tmp_path / "again"
    again.mkdir()
    for name, spec in specs.items():
        (again / f"{name}.json").write_text(json.dumps(as_fields(spec, mask=False)))

    assert loaded(again) == specs


def test_yaml_says_what_the_fields_say(specs: dict[str, JobSpec]) -> None:
    for spec in specs.values():
        assert yaml.safe_load(as_yaml(spec)) == as_fields(spec)


def test_yaml_is_in_the_order_of_the_documentation_and_without_defaults(specs: dict[str, JobSpec]) -> None:
    schema = json.loads((Path(__file__).parents[2] / "schemas" / "job.schema.json").read_text())
    order = list(schema["$defs"]["fields"]["properties"])

    fields = list(as_fields(specs["everything"]))

    assert sorted(fields, key=order.index) == fields
    assert as_yaml(specs["plain"]).splitlines() == [
        "name: plain",
        "command: 'true'",
        f"cwd: {specs['plain'].cwd}",
        "schedule: '* * * * *'",
    ]


def test_texts_of_several_lines_stand_as_such(specs: dict[str, JobSpec]) -> None:
    assert "command: |\n  set -e\n  pg_dump main\n" in as_yaml(specs["everything"])


def test_no_secret_is_shown(specs: dict[str, JobSpec]) -> None:
    text = as_yaml(specs["everything"])
    assert "hush" not in text
    assert "PGHOST: '***'" in text
    assert "from_env: SECRET" in text
    assert "https://example.org/hook?***" in text
