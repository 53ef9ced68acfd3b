from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from queuectl.model.errors import QueuectlError
from queuectl.specs import schema as schema_module
from queuectl.specs.check import _inlined, problems
from queuectl.specs.schema import job_fields, schema, schema_text

REPOSITORY = Path(__file__).parents[2]


def test_it_is_valid_draft_2020_12() -> None:
    assert schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(schema())


def test_every_field_has_title_description_and_examples() -> None:
    fields = dict(described_fields(schema(), "#"))

    assert len(fields) > 40
    for where, field in fields.items():
        for annotation in ("title", "description", "examples"):
            assert field.get(annotation), f"{where} has no {annotation}"


def test_every_example_is_valid() -> None:
    for where, field in described_fields(schema(), "#"):
        checker = jsonschema.Draft202012Validator({"$defs": schema()["$defs"], **field})
        for example in field["examples"]:
            assert not [error.message for error in checker.iter_errors(example)], f"{where}: {example}"


def test_every_wrong_value_has_a_message_for_people() -> None:
    for name, field in job_fields().items():
        assert "errorMessage" in _inlined(field), name


def test_no_reference_hides_a_rule() -> None:
    """Keys beside a $ref win over those it brings, here and in editors: only annotations may do so."""
    for node in nodes(schema()):
        if "$ref" in node:
            target = schema()["$defs"][node["$ref"].removeprefix("#/$defs/")]
            assert not (node.keys() & target.keys()) - {"$ref", "errorMessage"}, node


def test_the_fast_form_agrees_with_the_schema_as_written() -> None:
    plain = jsonschema.Draft202012Validator(schema())
    for value in (
        {"command": "x"},
        {"command": ["x"], "shell": "bash"},
        {"command": "x", "schedule": {"every": "5m", "cron": "@daily"}},
        {"command": "x", "schedule": {"spacing": "5m", "every": "5m"}},
        {"jobs": {"a": {"command": "x", "name": "b"}}},
        {"jobs": {"a": {}}, "defaults": {"command": "x"}},
        {"command": "x", "env": {"A": {}}},
        {"command": "x", "schedule": "@daily", "run_at": "2030-01-01"},
        {"command": "x", "exit_codes": {"success": [0], "snooze_for": 5}},
        {"x-free": 1, "command": "x"},
        {},
    ):
        assert bool(problems(value)) == (not plain.is_valid(value)), value


@pytest.mark.parametrize("value", [True, 1.0, float("nan"), float("inf"), "5", None, -1, 10**30])
def test_retries_are_whole_numbers(value: object) -> None:
    assert problems({"command": "x", "retries": value})


def test_a_final_newline_is_part_of_a_name() -> None:
    assert problems({"command": "x", "name": "a\n"})


def test_it_is_found_in_this_installation() -> None:
    assert schema_text() == (REPOSITORY / "schemas" / "job.schema.json").read_text(encoding="utf-8")


def test_a_broken_installation_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema_module, "FILE_NAME", "missing.json")

    with pytest.raises(QueuectlError, match="install queuectl again"):
        schema_text.__wrapped__()


def test_a_wheel_carries_it(tmp_path: Path) -> None:
    source, unpacked = tmp_path / "source", tmp_path / "unpacked"
    for folder in ("queuectl", "schemas"):
        shutil.copytree(REPOSITORY / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "pyproject.toml", source)
    for name in ("README.md", "LICENSE"):
        (source / name).touch()

    run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)], cwd=source)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(unpacked)
    shown = run(
        [
            sys.executable,
            "-P",
            "-c",
            "from queuectl.specs.schema import schema_text; print(schema_text(), end='')",
        ],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(unpacked)},
    )

    assert (unpacked / "queuectl" / "specs" / "job.schema.json").is_file()
    assert shown == schema_text()


def run(command: list[str], **options: Any) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


def described_fields(node: Any, where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field that a person can write, at any depth; not the rules that only forbid one."""
    if isinstance(node, list):
        for index, inner in enumerate(node):
            yield from described_fields(inner, f"{where}/{index}")
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key == "properties":
            for name, field in value.items():
                if "title" in field or not field.keys() <= {"not", "enum", "type", "errorMessage"}:
                    yield f"{where}/{name}", field
        if key not in {"examples", "default"}:
            yield from described_fields(value, f"{where}/{key}")


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for key, value in node.items():
            if key not in {"examples", "default"}:
                yield from nodes(value)
    elif isinstance(node, list):
        for inner in node:
            yield from nodes(inner)
