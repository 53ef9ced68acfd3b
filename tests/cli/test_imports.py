"""Start-up is lean: what people type all day long loads no module that takes long, and that it can do without."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import clean_environment

HEAVY = [
    "asyncio", "concurrent", "cron_descriptor", "croniter", "ctypes", "dataclasses", "dotenv", "email", "hashlib",
    "http", "jsonschema", "logging", "multiprocessing", "psutil", "referencing", "rich", "selectors", "shutil",
    "socket", "ssl", "subprocess", "tempfile", "unittest", "yaml", "zoneinfo",
]  # fmt: skip
"""1–100 ms each. What click and msgspec load themselves can't be helped."""

PROGRAM = """
import builtins, sys

by, plain_import = {}, builtins.__import__

def watched(name, importer=None, *rest):
    top = name.partition(".")[0]
    if top not in sys.modules:
        by[top] = (importer or {}).get("__name__")
    return plain_import(name, importer, *rest)

builtins.__import__ = watched
from queuectl.cli.main import run

heavy, words = sys.argv[1].split(), sys.argv[2:]
assert run(words) == 0
for module in heavy:
    if module in sys.modules:
        print(f"{module}, which {by.get(module)} imports", file=sys.stderr)
"""


def heavy_imports(folder: Path, *words: str, heavy: list[str]) -> list[str]:
    """Run a command in a fresh interpreter; return which of the heavy modules are loaded then, and by whom."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, " ".join(heavy), *words],
        env=clean_environment(folder), cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [line for line in done.stderr.splitlines() if ", which " in line]


@pytest.mark.parametrize(
    "words",
    [
        ["enqueue", "true"],
        ["list"],
        ["status"],
        ["get", "1"],
        ["logs", "1"],
        ["dlq", "list"],
        ["queue", "list"],
        ["worker", "list"],
    ],
    ids=" ".join,
)
def test_a_page_for_people(ran: Path, words: list[str]):
    found = heavy_imports(ran, *words, heavy=[*HEAVY, "json"])
    assert not found, f"`queuectl {' '.join(words)}` starts slower: it loads {'; '.join(found)}"


@pytest.mark.parametrize(
    "words", [["enqueue", "true"], ["list"], ["status"], ["get", "1"], ["dlq", "list"]], ids=" ".join
)
def test_json_for_programs(ran: Path, words: list[str]):
    found = heavy_imports(ran, *words, "-o", "json", heavy=HEAVY)
    assert not found, f"`queuectl {' '.join(words)} -o json` starts slower: it loads {'; '.join(found)}"


def test_help(tmp_path: Path):
    found = heavy_imports(tmp_path, "--help", heavy=[name for name in HEAVY if name != "shutil"])
    assert not found, f"`queuectl --help` starts slower: it loads {'; '.join(found)}"


def test_what_the_watch_says(tmp_path: Path):
    """The test above would notice: `schema` prints a file with `json`, and its name and importer are known."""
    assert heavy_imports(tmp_path, "schema", heavy=["json", "yaml"]) == [
        "json, which queuectl.specs.schema imports"
    ]


def test_a_worker_without_a_dashboard(ran: Path):
    heavy = [
        "base64",
        "fastapi",
        "hashlib",
        "hmac",
        "secrets",
        "shutil",
        "tempfile",
        "uvicorn",
        "yaml",
        "zoneinfo",
    ]
    found = heavy_imports(ran, "run", "--until-idle", heavy=heavy)
    assert not found, f"an idle worker is larger than it need be: it loads {'; '.join(found)}"
