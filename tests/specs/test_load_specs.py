from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest

from queuectl.model.env import EnvRef
from queuectl.model.errors import InvalidSpecError
from queuectl.model.spec import BASH, Backoff, ExitCodes, JobSpec, Keep, Schedule
from queuectl.model.states import CatchUp, Overlap
from queuectl.specs import document
from queuectl.specs.load import load
from queuectl.specs.schema import job_fields, schema

FULL = """
name: full
description: Everything at once
owner: team-data
labels: {tier: 1, team: data}
command: pg_dump main | gzip
shell: bash
cwd: ../app
env: {VERSION: 1.10, ON: True, HEX: 0x1F, TOKEN: {from_env: API}, PASSWORD: {from_file: secrets/db}}
env_file: [common.env, /etc/app.env]
schedule:
  cron: ["0 2 * * *", "@daily"]
  timezone: America/New_York
  jitter: 5m
  catch_up: all
  spacing: 30s
  overlap: queue
  start_within: 1h
timezone: Europe/Berlin
queue: nightly
priority: -5
retries: 0
backoff: {base: 500ms, factor: 1.5, max: 1h, jitter: 0}
timeout: 1h30m
kill_after: 0
exit_codes: {snooze: [75], success: [0, 2-4], dead: [64-78], snooze_for: 5m}
max_log: 64KiB
keep: {completed: 7d, dead: 100}
paused: true
x-note: free
"""


def test_every_field_arrives(tmp_path: Path) -> None:
    folder = tmp_path / "jobs.d"
    write(folder / "a.yaml", FULL)

    (loaded,) = load([folder], default_zone="UTC").specs

    assert loaded.file == "jobs.d/a.yaml"
    assert loaded.spec == JobSpec(
        name="full",
        description="Everything at once",
        owner="team-data",
        labels={"tier": "1", "team": "data"},
        command="pg_dump main | gzip",
        shell=BASH,
        cwd=str(tmp_path / "app"),
        env={
            "VERSION": "1.10",
            "ON": "True",
            "HEX": "0x1F",
            "TOKEN": EnvRef(from_env="API"),
            "PASSWORD": EnvRef(from_file=str(folder / "secrets/db")),
        },
        env_file=(str(folder / "common.env"), "/etc/app.env"),
        schedule=Schedule(
            cron=("0 2 * * *", "@daily"),
            timezone="America/New_York",
            jitter_ms=300_000,
            catch_up=CatchUp.ALL,
            spacing_ms=30_000,
            overlap=Overlap.QUEUE,
            start_within_ms=3_600_000,
        ),
        timezone="Europe/Berlin",
        queue="nightly",
        priority=-5,
        retries=0,
        backoff=Backoff(base_ms=500, factor=1.5, max_ms=3_600_000, jitter=0),
        timeout_ms=5_400_000,
        kill_after_ms=0,
        exit_codes=ExitCodes(
            rules=(("snooze", ((75, 75),)), ("success", ((0, 0), (2, 4))), ("dead", ((64, 78),))),
            snooze_for_ms=300_000,
        ),
        max_log_bytes=65_536,
        keep={"completed": Keep(for_ms=604_800_000), "dead": Keep(count=100)},
        paused=True,
    )


FEATURES = {
    "name": "name: other",
    "description": "description: x",
    "owner": "owner: x",
    "labels": "labels: {a: x}",
    "command": "command: other",
    "shell": "shell: bash",
    "concurrency": "concurrency: {key: db}",
    "concurrency.key": "concurrency: {key: other}",
    "concurrency.limit": "concurrency: {key: db, limit: 3}",
    "concurrency.on_conflict": "concurrency: {key: db, on_conflict: skip}",
    "on_success": "on_success: {webhook: 'https://example.org/x', secret: {from_env: KEY}}",
    "limits": "limits: {nice: 1}",
    "limits.memory": "limits: {memory: 64MiB}",
    "limits.cpu_time": "limits: {cpu_time: 3s}",
    "limits.open_files": "limits: {open_files: 64}",
    "limits.nice": "limits: {nice: 5}",
    "user": "user: nobody",
    "on_failure": "on_failure: [./tell]",
    "on_dead": "on_dead: [./tell, {webhook: {from_file: /run/url}}]",
    "params": "params: {DAY: {type: string}}",
    "rate": "rate: 10/m",
    "needs": "needs: [fetch, {job: load, on: dead}]",
    "cwd": "cwd: /other",
    "env": "env: {A: 1}",
    "env.from_env": "env: {A: {from_env: B}}",
    "env.from_file": "env: {A: {from_file: b}}",
    "env_file": "env_file: a.env",
    "schedule": "schedule: '@daily'",
    "schedule.cron": "schedule: {cron: '@hourly'}",
    "schedule.every": "schedule: {every: 5m}",
    "schedule.timezone": "schedule: {every: 5m, timezone: UTC}",
    "schedule.jitter": "schedule: {every: 5m, jitter: 1s}",
    "schedule.catch_up": "schedule: {every: 5m, catch_up: all}",
    "schedule.spacing": "schedule: {every: 5m, catch_up: all, spacing: 1s}",
    "schedule.overlap": "schedule: {every: 5m, overlap: allow}",
    "schedule.start_within": "schedule: {every: 5m, start_within: 1s}",
    "run_at": "run_at: 2030-01-01T00:00",
    "timezone": "timezone: Europe/Berlin",
    "queue": "queue: other",
    "priority": "priority: 1",
    "retries": "retries: 1",
    "backoff": "backoff: {base: 1h}",
    "backoff.base": "backoff: {base: 1s}",
    "backoff.factor": "backoff: {factor: 3}",
    "backoff.max": "backoff: {max: 1s}",
    "backoff.jitter": "backoff: {jitter: 1}",
    "timeout": "timeout: none",
    "kill_after": "kill_after: 1s",
    "exit_codes": "exit_codes: {success: [1]}",
    "exit_codes.success": "exit_codes: {success: [0, 1]}",
    "exit_codes.dead": "exit_codes: {dead: [1]}",
    "exit_codes.snooze": "exit_codes: {snooze: [1]}",
    "exit_codes.snooze_for": "exit_codes: {snooze: [1], snooze_for: 1s}",
    "max_log": "max_log: 1KiB",
    "keep": "keep: {dead: 5d}",
    "keep.completed": "keep: {completed: 1}",
    "keep.dead": "keep: {dead: 1}",
    "keep.cancelled": "keep: {cancelled: 1}",
    "paused": "paused: true",
}
"""For each field of the schema a line that changes the spec."""


def test_every_field_of_the_schema_changes_the_spec(tmp_path: Path) -> None:
    specs = [one(tmp_path, with_base(line)) for line in FEATURES.values()]

    assert set(FEATURES) == set(fields_of_the_schema())
    assert one(tmp_path, "name: x\ncommand: 'true'") not in specs
    assert len({msgspec.json.encode(spec) for spec in specs}) == len(specs)


def test_every_attribute_of_a_spec_can_be_reached(tmp_path: Path) -> None:
    plain = one(tmp_path, "name: x\ncommand: 'true'")
    reached = {
        attribute
        for line in FEATURES.values()
        for spec in [one(tmp_path, with_base(line))]
        for attribute in JobSpec.__struct_fields__
        if getattr(spec, attribute) != getattr(plain, attribute)
    }

    assert reached == set(JobSpec.__struct_fields__) - {"arguments", "event"}  # of jobs


def test_a_minimal_spec_leaves_the_rest_to_the_configuration(tmp_path: Path) -> None:
    assert one(tmp_path, "command: [ls, -l]") == JobSpec(name="a", command=("ls", "-l"), cwd=str(tmp_path))


@pytest.mark.parametrize(
    ("text", "attribute", "value"),
    [
        ("command: no", "command", "no"),
        ("command: 12:30", "command", "12:30"),
        ("command: x\nretries: 010", "retries", 10),
        ("command: x\npriority: 0x1F", "priority", 31),
        ("command: x\nshell: sh", "shell", ("/bin/sh", "-c")),
        ("command: x\nshell: [/bin/zsh, -c]", "shell", ("/bin/zsh", "-c")),
        ("command: x\ntimeout: none", "timeout_ms", "none"),
        ("command: x\ntimeout: 90", "timeout_ms", 90_000),
        ("command: x\ntimeout: 0.25", "timeout_ms", 250),
        ("command: x\nmax_log: 1000", "max_log_bytes", 1000),
        ("command: x\nrun_at: 2030-01-01T00:00Z", "run_at_ms", 1_893_456_000_000),
        ("command: x\nrun_at: 2030-01-01T00:00\ntimezone: Europe/Berlin", "run_at_ms", 1_893_452_400_000),
        ("command: x\nrun_at: 2030-01-01T00:00", "run_at_ms", 1_893_438_000_000),
        ("\ufeffcommand: x", "command", "x"),
        ("command: x\r\npriority: 1\r\n", "priority", 1),
        ("command: |\n  echo a\n  echo b\n", "command", "echo a\necho b\n"),
    ],
)
def test_values(tmp_path: Path, text: str, attribute: str, value: object) -> None:
    assert getattr(one(tmp_path, text, zone="Asia/Karachi"), attribute) == value


def test_the_home_folder_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")

    assert one(tmp_path, "command: x\ncwd: ~/app").cwd == "/home/me/app"


def test_json_is_read_with_its_escapes(tmp_path: Path) -> None:
    text = '{\n\t"command": "x",\n\t"description": "\\ud83d\\ude00 \\\\ud83d\\\\ude00 \\/"\n}'
    path = write(tmp_path / "a.json", text)

    assert load([path], default_zone="UTC").specs[0].spec.description == "😀 \\ud83d\\ude00 /"


def test_the_command_may_be_as_long_as_the_system_allows(tmp_path: Path) -> None:
    assert len(one(tmp_path, f"command: {'x' * 131_071}").command) == 131_071
    for text in (f"command: {'x' * 131_072}", f"command: [x, {'x' * 131_072}]"):
        assert "131,072" in refusal(tmp_path, text)
    assert "131,072" in refusal(tmp_path, f"command: x\nenv: {{A: {'x' * 131_070}}}")


def test_a_file_may_hold_many_jobs(tmp_path: Path) -> None:
    text = """
x-common: &common {queue: mail, labels: {team: a}}
defaults: {retries: 7, env: {A: 1, B: 2}, run_at: 2030-01-01T00:00Z, shell: bash}
jobs:
  first: {<<: *common, command: x, env: {B: 3}, retries: 1}
  second: {command: [y], schedule: "@daily"}
"""
    loaded = load([write(tmp_path / "d" / "all.yaml", text)], default_zone="UTC")
    first, second = (item.spec for item in loaded.specs)

    assert [(item.spec.name, item.file, item.line) for item in loaded.specs] == [
        ("first", "d/all.yaml", 5),
        ("second", "d/all.yaml", 6),
    ]
    assert (first.queue, first.labels, first.retries, first.env) == (
        "mail",
        {"team": "a"},
        1,
        {"A": "1", "B": "3"},
    )
    assert (first.run_at_ms, first.shell) == (1_893_456_000_000, BASH)
    assert (second.queue, second.retries, second.env) == ("default", 7, {"A": "1", "B": "2"})
    assert (second.run_at_ms, second.shell) == (None, ("/bin/sh", "-c"))


def test_defaults_of_folders_hold_below_them(tmp_path: Path) -> None:
    top = tmp_path / "jobs.d"
    write(
        top / "_defaults.yaml",
        "retries: 1\nqueue: top\nenv: {A: top, B: top}\ncwd: work\ntimezone: Asia/Karachi",
    )
    write(top / "db" / "_defaults.yml", "queue: db\nenv: {B: db}\nbackoff: {base: 1s}")
    write(top / "db" / "deep" / "a.yaml", "command: x\nbackoff: {max: 5s}\nrun_at: 2030-01-01T00:00")
    write(top / "b.yaml", "jobs: {b: {command: x}}\ndefaults: {queue: file}")

    by_name = {item.spec.name: item.spec for item in load([top / "db", top], default_zone="UTC").specs}

    a, b = by_name["a"], by_name["b"]
    assert (a.retries, a.queue, a.env) == (1, "db", {"A": "top", "B": "db"})
    assert a.backoff == Backoff(base_ms=1000, max_ms=5000)
    assert a.cwd == b.cwd == str(top / "work")
    assert a.run_at_ms == 1_893_438_000_000
    assert (b.retries, b.queue, b.env) == (1, "file", {"A": "top", "B": "top"})


def test_a_file_by_itself_has_the_defaults_beside_it(tmp_path: Path) -> None:
    write(tmp_path / "_defaults.yaml", "retries: 1")

    assert one(tmp_path, "command: x").retries == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "retries: lots\nzone: UTC\nschedule: '60 * * * *'",
            ["1:10: retries:", "2:1: unknown", "3:11: schedule: m"],
        ),
        ("command: x", ["1:1: command: each job has a command of its own"]),
        ("jobs: {a: {command: x}}", ["1:1: unknown field 'jobs'"]),
        ("", ["1:1: the file is empty"]),
    ],
)
def test_wrong_defaults_are_found_without_a_job(tmp_path: Path, text: str, message: list[str]) -> None:
    folder = tmp_path / "d"
    write(folder / "_defaults.yaml", text)

    found = refusal_of(folder)

    assert len(heads(found)) == len(message)
    for head, expected in zip(heads(found), message, strict=True):
        assert head.startswith(f"d/_defaults.yaml:{expected}")


def test_a_fault_in_defaults_is_named_once(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    write(folder / "_defaults.yaml", "timezone: Europe/Berln")
    for name in "abc":
        write(folder / f"{name}.yaml", "command: x\nrun_at: 2030-01-01")

    found = refusal_of(folder)

    assert "1 error in 1 file" in found
    assert "d/_defaults.yaml:1:11: timezone: " in found


def test_two_files_of_defaults_in_a_folder_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    write(folder / "_defaults.yaml", "retries: 1")
    write(folder / "_defaults.json", '{"retries": 2}')

    assert "d/_defaults.yaml:1:1: the defaults of this folder are in d/_defaults.json already" in refusal_of(
        folder
    )


def test_a_name_in_two_files_names_both(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    write(folder / "a.yaml", "# first\nname: same\ncommand: x")
    write(folder / "b" / "c.yaml", "jobs:\n  other: {command: x}\n  same: {command: y}")

    assert "d/b/c.yaml:3:3: the name 'same' is taken by d/a.yaml:2; names are unique" in refusal_of(folder)


def test_every_error_of_every_file_is_listed_in_order(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    write(folder / "b.yaml", "command: x\ntimeout: -1\nretrys: 1\nschedule: '60 * * * *'")
    write(folder / "a.yaml", "command: x\nbackoff: {base: 0s, factor: 0}")
    write(folder / "good.yaml", "command: x")
    write(folder / "c.yaml", "command: @x")

    found = refusal_of(folder)

    assert [line.split(": ")[0] for line in heads(found)] == [
        "d/a.yaml:2:17",
        "d/a.yaml:2:29",
        "d/b.yaml:2:10",
        "d/b.yaml:3:1",
        "d/b.yaml:4:11",
        "d/c.yaml:1:10",
    ]
    assert found.endswith("\n6 errors in 3 files; nothing was changed")


def test_values_of_variables_are_not_shown(tmp_path: Path) -> None:
    found = refusal(tmp_path, "command: x\nenv:\n  PASSWORD: [hunter2]\n  PIN: {from_file: 4711}")

    assert "env.PASSWORD: " in found
    assert "hunter2" not in found
    assert "4711" not in found


def test_errors_of_one_file_are_bounded(tmp_path: Path) -> None:
    start = time.monotonic()
    found = refusal(tmp_path, "".join(f"retry{number}: 1\n" for number in range(50_000)))

    assert found.endswith(
        "a.yaml: there are more errors; the first 200 of a file are shown\n"
        "200 errors in 1 file; nothing was changed"
    )
    assert time.monotonic() - start < 10


def test_the_pure_python_parser_gives_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import yaml

    bad = "command: x\nretrys: 3\nenv: {A: 1, A: 2}\nlabels: [a, b]\n"
    expected = one(tmp_path, FULL), refusal(tmp_path, bad)

    monkeypatch.setattr(document, "LOADER", yaml.SafeLoader)

    assert (one(tmp_path, FULL), refusal(tmp_path, bad)) == expected
    assert "put a cron expression in quotes" in refusal(tmp_path, "command: x\nschedule: */5 * * * *")
    assert "a tab can't indent" in refusal(tmp_path, "command: x\nenv:\n\tA: 1")
    assert "deep" in refusal(tmp_path, "a: " + "[" * 100_000)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def one(folder: Path, text: str, zone: str = "UTC") -> JobSpec:
    (loaded,) = load([write(folder / "a.yaml", text)], default_zone=zone).specs
    return loaded.spec


def with_base(line: str) -> str:
    base = {"name": "name: x", "command": "command: 'true'"}
    return "\n".join([*(text for name, text in base.items() if not line.startswith(name)), line])


def refusal(folder: Path, text: str) -> str:
    return refusal_of(write(folder / "a.yaml", text))


def refusal_of(path: Path) -> str:
    """The message, as it is for who stands beside the folder `d`."""
    with pytest.raises(InvalidSpecError) as refused:
        load([path], default_zone="UTC")
    beside = path.parent if path.is_dir() else path.parent.parent
    return str(refused.value).replace(f"{beside}/", "")


def heads(message: str) -> list[str]:
    """The lines that name a place."""
    return [line for line in message.split("\n")[:-1] if not line.startswith(" ")]


def fields_of_the_schema() -> list[str]:
    names = []
    for name, field in job_fields().items():
        names.append(name)
        inner = field.get("properties") or schema()["$defs"].get(name, {}).get("properties", {})
        if name == "env":
            inner = field["additionalProperties"]["properties"]
        names += [f"{name}.{key}" for key in inner]
    return names
