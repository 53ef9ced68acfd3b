"""The environment that an attempt runs in.

In bytes, as the operating system has it: the locale of the worker plays no part in what a job gets.
"""

from __future__ import annotations

import functools
import io
import os
import stat
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from queuectl.engine.confine import user_named
from queuectl.engine.launch import CannotStartError, Launch
from queuectl.model.env import EnvRef
from queuectl.rules.instants import format_instant

MAX_FILE_BYTES = 1024 * 1024
"""Of an `env_file` or a `from_file`: what is larger is none, and must not fill the worker's memory."""

Environment = dict[bytes, bytes]


def inherited(worker: Mapping[bytes, bytes], db: str) -> Environment:
    """Return what every job gets of its worker's environment: all but queuectl's own secrets."""
    env = {name: value for name, value in worker.items() if not _is_own(name, db)}
    env[b"PATH"] = _with_queuectl(env.get(b"PATH", os.fsencode(os.defpath)))
    return env


def environment(launch: Launch, marks: Environment, worker: Mapping[bytes, bytes]) -> Environment:
    """Build what an attempt's environment has beside what it has inherited from its `worker`'s.

    Later ones win: the job's `env_file`s, its `env`, and the `QUEUECTL_*` variables by which a job knows itself.
    Raises CannotStartError naming what is missing.
    """
    env: Environment = {}
    for path in launch.frozen.env_file:
        env.update(_dotenv(path))
    for name, value in launch.frozen.env.items():
        env[encode(name)] = _resolve(name, value, worker) if isinstance(value, EnvRef) else encode(value)
    env.update((encode(name), encode(value)) for name, value in launch.frozen.arguments.items())
    if b"PATH" in env:
        env[b"PATH"] = _with_queuectl(env[b"PATH"])
    return env | marks | _about(launch)


def mark_variables(worker: str, job_id: int, attempt: int) -> Environment:
    """The variables by which the processes of an attempt are known wherever they went."""
    return {
        b"QUEUECTL_WORKER": encode(worker),
        b"QUEUECTL_JOB_ID": b"%d" % job_id,
        b"QUEUECTL_ATTEMPT": b"%d" % attempt,
    }


def encode(text: str) -> bytes:
    """Text as a program gets it: UTF-8; bytes that came in as surrogate escapes go out as they were."""
    return text.encode("utf-8", "surrogateescape")


def _is_own(name: bytes, db: str) -> bool:
    """Whether a variable of the worker is meant for queuectl itself. A job that needs one says `from_env`."""
    return name.startswith(b"QUEUECTL_") or (name == b"PGPASSWORD" and db.startswith("postgres"))


def _dotenv(path: str) -> Iterator[tuple[bytes, bytes]]:
    from dotenv.parser import parse_stream  # noqa: PLC0415 (20 ms that few jobs need)

    try:
        text = _content(path, "env_file").decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CannotStartError(f"env_file {path} is not UTF-8 (byte {error.start})") from None
    for binding in parse_stream(io.StringIO(text)):
        if binding.error:
            raise CannotStartError(f"env_file {path}, line {binding.original.line}: expected NAME=value")
        if binding.key is not None and binding.value is not None:
            yield encode(binding.key), encode(binding.value)


def _resolve(name: str, ref: EnvRef, inherited: Mapping[bytes, bytes]) -> bytes:
    if ref.from_file is not None:
        return _content(ref.from_file, f"env {name}: from_file").removesuffix(b"\n")
    found = inherited.get(encode(ref.from_env or ""))
    if found is None:
        raise CannotStartError(f"env {name}: the worker's environment has no variable {ref.from_env}")
    return found


def _content(path: str, what: str) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)  # a pipe must not stop the worker
        with os.fdopen(fd, "rb") as file:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise CannotStartError(f"{what} {path} is no regular file")
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise CannotStartError(f"{what} {path} can't be read: {error.strerror}") from None
    if len(content) > MAX_FILE_BYTES:
        raise CannotStartError(f"{what} {path} is larger than 1 MiB")
    return content


def _about(launch: Launch) -> Environment:
    about = {b"QUEUECTL_DB": encode(launch.db)}
    if launch.spec is not None:
        about[b"QUEUECTL_SPEC"] = encode(launch.spec)
    if launch.frozen.user is not None:
        user = user_named(launch.frozen.user)
        about |= {
            b"HOME": encode(user.pw_dir),
            b"USER": encode(user.pw_name),
            b"LOGNAME": encode(user.pw_name),
        }
    elif launch.said:  # another user could not write there
        about[b"QUEUECTL_OUTPUT"] = encode(launch.said)
    about.update((encode(name), encode(value)) for name, value in launch.needs)
    if launch.frozen.event is not None:
        about[b"QUEUECTL_EVENT"] = encode(launch.frozen.event)
    if launch.fire_at is not None:
        about[b"QUEUECTL_FIRE_AT"] = format_instant(launch.fire_at).encode()
    return about


def _with_queuectl(path: bytes) -> bytes:
    folder = program_folder()
    return path if folder is None or folder in path.split(b":") else path + b":" + folder


@functools.cache
def program_folder() -> bytes | None:
    """Folder of the `queuectl` program that is running; None when it was not started as a program.

    Asked for the first time before any job changes the working directory.
    """
    for folder in (Path(sys.argv[0]).absolute().parent, Path(sys.executable).parent):
        if os.access(folder / "queuectl", os.X_OK):
            return os.fsencode(folder)
    return None
