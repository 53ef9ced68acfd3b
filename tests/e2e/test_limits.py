"""Limits: what an attempt may take of the machine, and who it runs as."""

from __future__ import annotations

import os
import sys

import pytest

from tests.command import Queuectl

PYTHON = sys.executable


def run(queuectl: Queuectl, fields: str, code: int = 0) -> str:
    queuectl.spec("job", f"retries: 0\n{fields}\n")
    queuectl("apply", "jobs.d")
    queuectl("run", "--until-idle", code=code)
    return queuectl("logs", "job")


def test_each_limit_holds(queuectl: Queuectl) -> None:
    limits = "limits: {memory: 1GiB, cpu_time: 90500ms, open_files: 77, nice: 3}"
    fields = f"command: 'ulimit -v; ulimit -t; ulimit -n; nice'\n{limits}"
    assert run(queuectl, fields).split() == [str(1024 * 1024), "91", "77", str(os.nice(0) + 3)]


def test_what_has_no_limits_has_those_of_its_worker(queuectl: Queuectl) -> None:
    assert run(queuectl, "command: nice").split() == [str(os.nice(0))]


def test_too_much_memory_is_not_had_and_the_reason_names_the_limit(queuectl: Queuectl) -> None:
    run(queuectl, f"command: ['{PYTHON}', -c, 'bytearray(10**9)']\nlimits: {{memory: 300MiB}}", code=1)
    (attempt,) = queuectl.json("get", "job")["attempts"]
    assert attempt["error"] == "its memory limit is 300MiB: it may have reached it"


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to run a job as somebody else")
def test_root_runs_a_job_as_somebody_else(queuectl: Queuectl) -> None:
    assert run(queuectl, "command: 'id -un; id -Gn; echo $HOME $USER'\nuser: nobody\ncwd: /").splitlines() == [
        "nobody", "nogroup", "/nonexistent nobody",
    ]  # fmt: skip


def test_a_user_that_there_is_not_is_named(queuectl: Queuectl) -> None:
    run(queuectl, "command: id\nuser: nosuchuser", code=1)
    assert "user nosuchuser does not exist on this machine" in queuectl.json("get", "job")["reason"]
