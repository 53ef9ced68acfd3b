from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from queuectl.engine import environment as module
from queuectl.engine.environment import environment, mark_variables
from queuectl.engine.environment import inherited as of_worker
from queuectl.engine.launch import CannotStartError, Launch
from queuectl.model.env import EnvRef
from queuectl.model.spec import JobSpec
from queuectl.model.states import Outcome
from tests.engine.attempts import Attempts

INHERITED = {
    b"HOME": b"/home/me",
    b"PATH": b"/usr/bin:/bin",
    b"LATIN": b"caf\xe9",
    b"PGPASSWORD": b"pg-secret",
    b"QUEUECTL_DB": b"postgresql://me:secret@db/queue",
    b"QUEUECTL_TOKEN": b"token-secret",
    b"QUEUECTL_JOB_ID": b"of an outer queue",
}


def built(inherited: dict[bytes, bytes] | None = None, **fields: Any) -> dict[bytes, bytes]:
    around = {"spec": None, "fire_at": None, "db": "/q.db", "output": "w-1-0.log"}
    around |= {name: fields.pop(name) for name in tuple(fields) if name in around}
    launch = Launch(job_id=7, attempt=2, worker="w-1", frozen=JobSpec(command="x", **fields), **around)  # type: ignore[arg-type]
    marks = mark_variables(launch.worker, launch.job_id, launch.attempt)
    worker = INHERITED if inherited is None else inherited
    return of_worker(worker, launch.db) | environment(launch, marks, worker)


def refused(**fields: Any) -> str:
    with pytest.raises(CannotStartError) as info:
        built(**fields)
    assert "secret" not in str(info.value)
    return str(info.value)


def test_the_workers_environment_without_its_secrets() -> None:
    env = built()
    assert env[b"HOME"] == b"/home/me"
    assert env[b"LATIN"] == b"caf\xe9", "bytes that are no UTF-8 stay as they were"
    assert sorted(name for name in env if name.startswith(b"QUEUECTL_")) == [
        b"QUEUECTL_ATTEMPT",
        b"QUEUECTL_DB",
        b"QUEUECTL_JOB_ID",
        b"QUEUECTL_WORKER",
    ]
    assert (env[b"QUEUECTL_JOB_ID"], env[b"QUEUECTL_ATTEMPT"]) == (b"7", b"2")
    assert (env[b"QUEUECTL_WORKER"], env[b"QUEUECTL_DB"]) == (b"w-1", b"/q.db")


def test_the_password_of_postgresql_is_the_workers_where_the_queue_is_there() -> None:
    assert built()[b"PGPASSWORD"] == b"pg-secret"
    assert b"PGPASSWORD" not in built(db="postgresql://db/queue")
    given = built(db="postgresql://db/queue", env={"PGPASSWORD": EnvRef(from_env="PGPASSWORD")})
    assert given[b"PGPASSWORD"] == b"pg-secret"


def test_what_a_job_knows_of_itself() -> None:
    env = built(spec="nightly", fire_at=1_774_746_000_000, env={"QUEUECTL_SPEC": "x", "QUEUECTL_WORKER": "x"})
    assert env[b"QUEUECTL_SPEC"] == b"nightly"
    assert env[b"QUEUECTL_FIRE_AT"] == b"2026-03-29T01:00:00Z"
    assert env[b"QUEUECTL_WORKER"] == b"w-1"


def test_later_ones_win(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("A=1\nB=1\nC=1\nHOME=/one\n")
    (tmp_path / "two").write_text("B=2\nC=2\n")
    env = built(env_file=(str(tmp_path / "one"), str(tmp_path / "two")), env={"C": "3"})
    assert [env[name] for name in (b"A", b"B", b"C", b"HOME")] == [b"1", b"2", b"3", b"/one"]


def test_dotenv(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("\ufeffexport A='x y' # note\nB=\"two\\nlines\"\nC=$A ${HOME}\nD=\nALONE\n")
    env = built(env_file=(str(file),))
    assert [env[name] for name in (b"A", b"B", b"C", b"D")] == [b"x y", b"two\nlines", b"$A ${HOME}", b""]
    assert b"ALONE" not in env


def test_dotenv_that_cannot_be_read(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    assert refused(env_file=(str(file),)) == f"env_file {file} can't be read: No such file or directory"
    file.write_text("A=1\nB='secret\n")
    assert refused(env_file=(str(file),)) == f"env_file {file}, line 2: expected NAME=value"
    file.write_bytes(b"A=\xff\n")
    assert refused(env_file=(str(file),)) == f"env_file {file} is not UTF-8 (byte 2)"
    file.write_bytes(b"#" * (1024 * 1024 + 1))
    assert refused(env_file=(str(file),)) == f"env_file {file} is larger than 1 MiB"
    os.mkfifo(tmp_path / "pipe")
    assert refused(env_file=(str(tmp_path / "pipe"),)) == f"env_file {tmp_path / 'pipe'} is no regular file"
    assert refused(env_file=(str(tmp_path),)).startswith(f"env_file {tmp_path} ")


def test_references(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"s\xffcret\n\n")
    env = built(
        env={"F": EnvRef(from_file=str(tmp_path / "secret")), "E": EnvRef(from_env="LATIN"), "P": "plain ü"}
    )
    assert (env[b"F"], env[b"E"]) == (b"s\xffcret\n", b"caf\xe9")
    assert env[b"P"] == "plain ü".encode()


def test_references_to_nothing(tmp_path: Path) -> None:
    assert (
        refused(env={"A": EnvRef(from_env="NONE")}) == "env A: the worker's environment has no variable NONE"
    )
    missing = tmp_path / "none"
    expected = f"env A: from_file {missing} can't be read: No such file or directory"
    assert refused(env={"A": EnvRef(from_file=str(missing))}) == expected


def test_jobs_find_queuectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "queuectl"
    program.parent.mkdir()
    program.touch(0o755)
    monkeypatch.setattr(sys, "argv", [str(program), "run"])
    module.program_folder.cache_clear()
    try:
        folder = os.fsencode(program.parent)
        assert built()[b"PATH"] == b"/usr/bin:/bin:" + folder
        assert built(env={"PATH": f"{program.parent}:/bin"})[b"PATH"] == folder + b":/bin"
        assert built({})[b"PATH"].endswith(b":" + folder)
    finally:
        module.program_folder.cache_clear()


def test_a_job_sees_it(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUEUECTL_TOKEN", "secret")
    monkeypatch.setenv("FROM", "the worker")
    attempts: Attempts = request.getfixturevalue("attempts")  # a worker that starts now
    command = 'echo "$QUEUECTL_JOB_ID-$QUEUECTL_ATTEMPT $QUEUECTL_WORKER [$QUEUECTL_TOKEN] $FROM $SECRET"'
    end = attempts.run(command, env={"SECRET": EnvRef(from_env="FROM")}, attempt=3)
    assert end.output.decode() == f"1-3 {attempts.worker} [] the worker the worker\n"


def test_what_is_missing_is_a_spawn_failure(attempts: Attempts) -> None:
    end = attempts.run("true", env={"A": EnvRef(from_env="QUEUECTL_NO_SUCH")})
    assert (end.outcome, end.out_of_resources) == (Outcome.SPAWN_FAILED, False)
    assert end.error == "env A: the worker's environment has no variable QUEUECTL_NO_SUCH"
