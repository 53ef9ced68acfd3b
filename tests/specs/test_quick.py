"""The quick test of a schema says yes to exactly what the JSON Schema validator finds nothing wrong with."""

from __future__ import annotations

import random
from copy import deepcopy
from typing import Any

import pytest

from queuectl.specs.check import _flat, _quick, _validator
from queuectl.specs.quick import suits

MUTATIONS = 1500
VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 1.0, 1.5, 65, 1001, 10**30, float("nan"), float("inf"),
    "", " ", "x", "5", "5m", "none", "all", "bash", "a\n", "_a", "QUEUECTL_A", "64KiB", "64-78", "2030-01-01",
    "y" * 201,
    [], ["x"], [1], ["64-78", 3], [""], [["x"]], ["@daily"] * 101,
    {}, {"x": 1}, {"x": {}}, {"every": "5m"}, {"cron": "@daily"}, {"every": "5m", "cron": "x"}, {"from_env": "A"},
    {"from_env": "A", "from_file": "b"}, {"completed": "7d"}, {"command": "x"}, {"command": "x", "name": "y"},
    {"": "x"},
]  # fmt: skip
KEYS = [
    "name",
    "command",
    "shell",
    "run_at",
    "schedule",
    "env",
    "jobs",
    "defaults",
    "x-free",
    "comand",
    "keep",
    "",
]
JOB: dict[str, Any] = {
    "name": "full",
    "description": "everything",
    "labels": {"tier": 1},
    "command": "pg_dump | gzip",
    "shell": "bash",
    "cwd": "../app",
    "env": {"A": 1.5, "T": {"from_env": "X"}, "P": {"from_file": "p"}},
    "env_file": ["a.env"],
    "schedule": {
        "cron": ["0 2 * * *"], "timezone": "UTC", "jitter": "5m", "catch_up": "all", "spacing": 5,
        "overlap": "queue", "start_within": "1h",
    },
    "timezone": "Europe/Berlin",
    "priority": -5,
    "retries": 0,
    "backoff": {"base": "500ms", "factor": 1.5, "max": "1h", "jitter": 0},
    "timeout": "none",
    "kill_after": 0,
    "exit_codes": {"snooze": [75], "success": [0, "2-4"], "snooze_for": "5m"},
    "max_log": "64KiB",
    "keep": {"completed": "7d", "dead": 100},
    "paused": True,
}  # fmt: skip
WHOLE: dict[str, Any] = {
    "jobs": {"a": {"command": ["x", "y"]}, "b": {"command": "x", "schedule": "@daily"}},
    "defaults": {"retries": 1, "shell": ["/bin/zsh", "-c"]},
    "x-anchors": [1],
}


@pytest.mark.parametrize(
    ("part", "start"), [(None, JOB), (None, WHOLE), ("job", JOB), ("defaults", WHOLE["defaults"])]
)
def test_it_agrees_with_the_validator(part: str | None, start: dict[str, Any]) -> None:
    draw = random.Random(f"{part} {sorted(start)}")  # noqa: S311
    said = {True: 0, False: 0}
    assert _quick(part)(start)
    for _ in range(MUTATIONS // 4):
        value = mutated(draw, deepcopy(start))
        says = _quick(part)(value)
        assert says == _validator(part).is_valid(value), value
        said[says] += 1
    assert min(said.values()) > 20


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:30])
def test_of_names_as_well(value: object) -> None:
    assert _quick("name")(value) == _validator("name").is_valid(value)
    assert _quick(None)(value) == _validator(None).is_valid(value)


@pytest.mark.parametrize(
    "schema", [{"const": 1}, {"items": {"oneOf": []}}, {"$ref": "#/x"}, {"enum": [1, "a"]}]
)
def test_it_reads_every_keyword_or_refuses_the_schema(schema: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not read here"):
        suits(schema)


def test_the_schema_of_spec_files_is_one_that_it_reads() -> None:
    for part in (None, "job", "name", "defaults"):
        suits(_flat(part))


def mutated(draw: random.Random, value: Any) -> Any:
    """`value` with one or two of its parts put wrong, or at least otherwise."""
    for _ in range(draw.randint(1, 2)):
        container, keys = draw.choice(list(containers(value)))
        if isinstance(container, dict):
            key = draw.choice([*keys, draw.choice(KEYS)])
            if draw.random() < 0.2:
                container.pop(key, None)
            else:
                container[key] = deepcopy(draw.choice(VALUES))
        elif keys:
            container[draw.choice(keys)] = deepcopy(draw.choice(VALUES))
    return value


def containers(value: Any) -> Any:
    if isinstance(value, dict | list):
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        yield value, keys
        for key in keys:
            yield from containers(value[key])
