from __future__ import annotations

from typing import Any

import pytest

from queuectl.model.spec import BASH, JobSpec, Schedule
from queuectl.model.states import Overlap
from queuectl.rules.instants import parse_instant
from queuectl.rules.lint import has_pipe, warnings

NOW = parse_instant("2026-01-15T12:00Z", zone="UTC")


@pytest.mark.parametrize(
    "command",
    [
        "a | b",
        "a|b",
        "a |& b",
        "a 2>&1|b",
        "(a; b)|c",
        "a || b | c",
        "echo 'it'\\''s' | b",
        "a '|' | b",
        "# don't\na | b",
        "echo a#b | c",
        "a |\n  b",
    ],
)
def test_pipes_are_seen(command: str) -> None:
    assert has_pipe(command)


@pytest.mark.parametrize(
    "command",
    [
        "a || b",
        "a||b",
        "grep 'a|b' file",
        'grep "a|b" file',
        'grep "a\\"|b" file',
        "grep --sep='|' file",
        "grep a\\|b file",
        "a >| b",
        "a # | b",
        "a;# | b",
        "a && b",
    ],
)
def test_what_only_looks_like_a_pipe(command: str) -> None:
    assert not has_pipe(command)


def test_a_plain_spec_has_no_warnings() -> None:
    assert found(command="a") == []
    assert found(command=("a", "|", "b")) == []
    assert found(command="a | b", shell=BASH) == []
    assert found(command="set -o pipefail; a | b", shell=("/bin/bash", "-c")) == []  # noqa: S604


def test_a_pipe_in_a_shell_that_hides_failures() -> None:
    expected = "only the exit code of the pipe's last command counts; with shell: bash any failure does"

    assert found(command="a | b") == [f"jobs.d/x.yaml: x: {expected}"]
    assert len(found(command="a | b", shell=("/bin/bash", "-c"))) == 1  # noqa: S604


def test_a_working_directory_that_is_not_there() -> None:
    spec = JobSpec(name="x", command="a", cwd="/srv/app")

    assert warnings(spec, file="f", now_ms=NOW, zone="UTC", cwd_exists=False) == [
        "f: x: the working directory /srv/app is not there yet; attempts fail until it is"
    ]


def test_a_run_at_in_the_past() -> None:
    assert found(run_at_ms=NOW - 1000) == [
        "jobs.d/x.yaml: x: run_at 2026-01-15T11:59:59Z is in the past; it runs at once"
    ]
    assert found(run_at_ms=NOW) == []


def test_a_time_that_the_clocks_skip() -> None:
    skipped = Schedule(cron=("30 2 * * *",))

    assert found(schedule=skipped, timezone="Europe/Berlin") == [
        (
            "jobs.d/x.yaml: x: the clocks in Europe/Berlin skip its time when they go forward;"
            " it runs right after, at 2026-03-29 03:00:00 CEST"
        )
    ]
    assert found(schedule=skipped) == []
    assert found(schedule=Schedule(cron=("30 3 * * *",)), timezone="Europe/Berlin") == []
    assert found(schedule=Schedule(cron=("30 * * * *",)), timezone="Europe/Berlin") == []


@pytest.mark.parametrize(
    ("overlap", "effect"),
    [(Overlap.SKIP, "skips"), (Overlap.QUEUE, "delays"), (Overlap.REPLACE, "is replaced by")],
)
def test_a_timeout_longer_than_the_interval(overlap: Overlap, effect: str) -> None:
    schedule = Schedule(every_ms=60_000, overlap=overlap)

    assert found(schedule=schedule, timeout_ms=90_000) == [
        (
            "jobs.d/x.yaml: x: its timeout of 1m30s is longer than the 1m between fires;"
            f" a slow attempt {effect} the next"
        )
    ]


def test_a_timeout_that_fits() -> None:
    every_minute = Schedule(cron=("* * * * *",))

    assert found(schedule=every_minute, timeout_ms=60_000) == []
    assert len(found(schedule=every_minute, timeout_ms=60_001)) == 1
    assert found(schedule=every_minute, timeout_ms="none") == []
    assert found(schedule=Schedule(every_ms=1000, overlap=Overlap.ALLOW), timeout_ms=60_000) == []


def found(**fields: Any) -> list[str]:
    spec = JobSpec(**{"name": "x", "command": "a", **fields})
    return warnings(spec, file="jobs.d/x.yaml", now_ms=NOW, zone="UTC", cwd_exists=True)
