from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from queuectl.model.env import EnvRef
from queuectl.model.errors import UsageError
from queuectl.model.spec import ExitCodes, JobSpec
from queuectl.specs.enqueue import spec_from_mapping


def test_spellings_from_elsewhere() -> None:
    spec, key = read({"id": "job1", "command": "echo hi", "max_retries": 5})

    assert key == "job1"
    assert spec == JobSpec(command="echo hi", retries=5, cwd="/work")


def test_hyphens_and_underscores_are_both_read() -> None:
    spec, key = read(
        {
            "key": "k",
            "command": ["a"],
            "max-retries": 1,
            "kill-after": "5s",
            "exit-codes": {"snooze": [1], "snooze-for": "5m"},
            "env": {"a-b": 1.5, "on": True, "x": {"from_file": "s/x"}},
            "labels": {"team-name": "a"},
        }
    )

    assert key == "k"
    assert spec == JobSpec(
        command=("a",),
        retries=1,
        cwd="/work",
        kill_after_ms=5000,
        exit_codes=ExitCodes(rules=(("snooze", ((1, 1),)),), snooze_for_ms=300_000),
        env={"a-b": "1.5", "on": "true", "x": EnvRef(from_file="/work/s/x")},
        labels={"team-name": "a"},
    )


def test_paths_and_instants_are_read_where_the_command_is_given() -> None:
    spec, _ = read({"command": "x", "cwd": "sub", "env_file": [".env"], "run_at": "2030-01-01T00:00"})

    assert (spec.cwd, spec.env_file, spec.run_at_ms) == ("/work/sub", ("/work/.env",), 1_893_452_400_000)


def test_the_mapping_stays_as_it_was() -> None:
    value = {"id": "a", "command": "x", "env": {"A": {"from_file": "b"}}, "env_file": ["c"]}
    before = repr(value)

    read(value)

    assert repr(value) == before


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({}, "missing field 'command'"),
        ({"cmd": "x"}, "unknown field 'cmd', did you mean 'command'?; missing field 'command'"),
        ({"command": "x", "schedule": None}, "a schedule belongs into a spec file; see apply"),
        ({"command": "x", "name": "a"}, "an ad-hoc job has no name; give it a key"),
        ({"command": "x", "paused": False}, "a job can't be paused; see spec pause and queue pause"),
        ({"command": "x", "key": 5}, "key: expected a text that isn't empty, found 5"),
        ({"command": "x", "id": ""}, 'key: expected a text that isn\'t empty, found ""'),
        ({"command": "x", "id": "a\0"}, "key: a NUL or half of a surrogate pair can't be part of a value"),
        ({"command": "x", "id": "a", "key": "b"}, "key is given twice"),
        ({"command": "x", "max_retries": 1, "retries": 2}, "retries is given twice"),
        ({"command": "x", "retries": float("nan")}, "retries: expected an integer from 0 to 1000; found nan"),
        (
            {"command": "x", "run_at": "2026-02-30"},
            "run_at: day of 2026-02: expected 1-28, found 30 in '2026-02-30'",
        ),
        ({"command": "a\0b"}, "command: a NUL or half of a surrogate pair can't be part of a value"),
        (
            {"command": "x", "env": {"\ud800": "1"}},
            "env: a NUL or half of a surrogate pair can't be part of a value",
        ),
        (
            {"command": "x", "env": {"A": ["hunter2"]}},
            "env.A: expected a text, {from_env: NAME} or {from_file: PATH}; found a list",
        ),
        ({"command": "x", "cwd": "~nobody-here/x"}, "cwd: there is no home folder for ~nobody-here"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(value: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as refused:
        read(value)

    assert str(refused.value) == message


def test_what_is_right_is_read_without_the_library_that_says_what_is_wrong() -> None:
    script = """
import sys
from queuectl.specs.enqueue import spec_from_mapping
value = {"id": "k", "command": "date", "max_retries": 2, "priority": -1, "queue": "q", "timeout": "5m",
         "env": {"A": 1}, "labels": {"a": "b"}, "cwd": "x", "backoff": {"base": "1s"}}
spec_from_mapping(value, cwd="/work", default_zone="UTC")
sys.exit("jsonschema" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_deep_nesting_is_refused() -> None:
    deep: Any = 1
    for _ in range(5_000):
        deep = [deep]

    with pytest.raises(UsageError, match="nested too deep"):
        read({"command": "x", "x-deep": deep})


def read(value: dict[str, Any]) -> tuple[JobSpec, str | None]:
    return spec_from_mapping(value, cwd="/work", default_zone="Europe/Berlin")
