"""What README.md says is what the code does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from queuectl.cli.app import app
from queuectl.specs.load import load

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_generated_parts_are_as_the_code_says() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_specs_in_it_are_valid(tmp_path: Path) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    for name, block in zip(("nightly-dump", "etl"), blocks, strict=True):
        (tmp_path / f"{name}.yaml").write_text(block, encoding="utf-8")
    found = load([tmp_path], default_zone="UTC").specs
    assert sorted(one.spec.name or "" for one in found) == ["extract-shop", "load", "nightly-dump"]


@pytest.mark.parametrize("line", sorted(set(re.findall(r"(?:`|\$ )queuectl ([a-z][a-z ]*)", README))))
def test_the_commands_in_it_exist(line: str) -> None:
    command: click.Command = app
    for word in line.split():
        if not isinstance(command, click.Group):
            break
        found = command.get_command(click.Context(command), word)
        assert found, f"README.md mentions `queuectl {line}`"
        command = found


def test_every_promise_of_make_is_kept() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"(?:`|\$ )make ([a-z-]+)", README)) <= targets
