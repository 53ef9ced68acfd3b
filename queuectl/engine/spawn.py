"""Starts the command of a job in a session of its own."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
from collections.abc import Mapping
from typing import IO, Any, NamedTuple

from queuectl.engine.capture import Capture
from queuectl.engine.confine import confinement, is_confined
from queuectl.engine.environment import Environment, encode
from queuectl.engine.launch import CannotStartError
from queuectl.model.spec import JobSpec

OUT_OF_RESOURCES = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE})

_OUTPUT_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW
"""The command's output is an opening of its own, so that one can tell whether all have closed it (`openers`)."""
_ALL_SIGNALS = sorted(signal.valid_signals())


def spawn(
    frozen: JobSpec, env: Environment, output: Capture, *, home: int | None, stdin: str | None = None
) -> int:
    """Start the command and give back its pid: leader of a new session, output to `output`.

    It reads `stdin`; None: stdin is at its end.

    `home`: this process has no other thread that minds its working directory, which is changed for the moment of the
    start, then back to this folder (`open_home`); it costs a third of the CPU time. Raises CannotStartError.
    """
    if stdin is not None:
        with _held_in_memory(stdin) as given:
            return _spawn(frozen, env, Channels(output, given.fileno()), home)
    return _spawn(frozen, env, Channels(output), home)


class Channels(NamedTuple):
    """What a command reads and writes, and how it is confined."""

    output: Capture
    given: int | None = None
    """Descriptor of what it reads from stdin; None: nothing."""
    confined: Mapping[str, Any] = {}
    """What Popen is told of its limits and user."""


def _spawn(frozen: JobSpec, env: Environment, channels: Channels, home: int | None) -> int:
    argv = _argv(frozen)
    cwd = encode(frozen.cwd or ".")
    try:
        if home is None:
            _check_cwd(cwd)
            program = _find(argv[0], _name(frozen, argv[0]), cwd, env.get(b"PATH", b""))
            return _popen(program, argv, env, cwd, channels._replace(confined=confinement(frozen)))
        _enter(cwd)
        try:
            program = _find(argv[0], _name(frozen, argv[0]), b"", env.get(b"PATH", b""))
            if is_confined(frozen):
                return _popen(program, argv, env, b".", channels._replace(confined=confinement(frozen)))
            return _posix_spawn(program, argv, env, channels)
        finally:
            _go_back(home)
    except OSError as error:
        raise _explained(error, _name(frozen, argv[0]), argv[0], cwd) from None
    except ValueError as error:  # a NUL byte, or `=` in a variable's name
        raise CannotStartError(f"command or environment can't be passed on: {error}") from None


def open_home() -> int:
    """Open the folder that this process is in, or the root where that can't be."""
    flags = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY
    try:
        return os.open(".", flags)
    except OSError:
        return os.open("/", flags)


def _argv(frozen: JobSpec) -> list[bytes]:
    words = (*frozen.shell, frozen.command) if isinstance(frozen.command, str) else frozen.command
    return [encode(word) for word in words]


def _name(frozen: JobSpec, program: bytes) -> str:
    shown = os.fsdecode(program)
    return f"shell {shown}" if isinstance(frozen.command, str) else f"program '{shown}'"


def _check_cwd(cwd: bytes) -> None:
    shown = os.fsdecode(cwd)
    try:
        mode = os.stat(cwd).st_mode  # noqa: PTH116 (bytes)
    except FileNotFoundError:
        raise CannotStartError(f"cwd {shown} does not exist") from None
    except OSError as error:
        raise CannotStartError(f"cwd {shown} can't be used: {error.strerror}") from None
    if not stat.S_ISDIR(mode):
        raise CannotStartError(f"cwd {shown} is not a folder")
    if not os.access(cwd, os.X_OK):
        raise CannotStartError(f"cwd {shown} can't be used: Permission denied")


def _find(program: bytes, name: str, cwd: bytes, path: bytes) -> bytes:
    """Look a program up as a shell would: in the PATH of the job, or below `cwd` when it is a path."""
    if b"/" in program:
        return program
    found = None
    for folder in path.split(b":"):
        file = os.path.join(cwd, folder, program)  # noqa: PTH118 (bytes)
        if os.path.isfile(file):  # noqa: PTH113
            if os.access(file, os.X_OK):
                return os.path.join(folder or b".", program)  # noqa: PTH118
            found = found or os.path.join(folder, program)  # noqa: PTH118
    if found is not None:
        raise CannotStartError(f"{name} ({os.fsdecode(found)}) is not executable")
    raise CannotStartError(f"{name} not found on PATH")


def _posix_spawn(program: bytes, argv: list[bytes], env: Environment, channels: Channels) -> int:
    output, given = channels.output, channels.given
    files: list[tuple[object, ...]] = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
        if given is None
        else (os.POSIX_SPAWN_DUP2, given, 0),
        (os.POSIX_SPAWN_OPEN, 1, output.path or os.devnull, _OUTPUT_FLAGS, 0),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    try:
        return os.posix_spawn(
            program, argv, env, file_actions=files, setsid=True, setsigmask=(), setsigdef=_ALL_SIGNALS
        )
    except NotImplementedError:  # a C library without POSIX_SPAWN_SETSID
        return _popen(program, argv, env, b".", channels)
    except OSError:
        if output.path is None or output.path.exists():
            raise
        return _popen(program, argv, env, b".", channels)  # its log was removed just now


def _popen(program: bytes, argv: list[bytes], env: Environment, cwd: bytes, channels: Channels) -> int:
    written = _opened(channels.output)
    try:
        process = subprocess.Popen(
            argv,
            executable=program,
            stdin=subprocess.DEVNULL if channels.given is None else channels.given,
            stdout=written,
            stderr=written,
            cwd=cwd,
            env=env,
            start_new_session=True,
            **channels.confined,
        )
    except subprocess.SubprocessError as error:  # of what runs between fork and exec
        raise CannotStartError(f"limits can't be set: {error}") from None
    finally:
        os.close(written)
    process.returncode = 0  # it is reaped elsewhere: Popen must neither wait for it nor warn
    return process.pid


def _held_in_memory(text: str) -> IO[bytes]:
    """Return a file that has no name, at its beginning."""
    from tempfile import TemporaryFile  # noqa: PLC0415  it loads what packs files; few jobs read anything

    file = TemporaryFile(buffering=0)  # noqa: SIM115  whoever asks closes it
    file.write(encode(text))
    file.seek(0)
    return file


def _opened(output: Capture) -> int:
    try:
        return os.open(output.path or os.devnull, _OUTPUT_FLAGS)
    except FileNotFoundError:  # removed just now; it won't be used again
        return os.dup(output.fd)


def _enter(path: bytes) -> None:
    """Be in a folder for a moment: posix_spawn can't change the directory itself."""
    try:
        os.chdir(path)
    except OSError:
        _check_cwd(path)
        raise


def _go_back(home: int) -> None:
    try:
        os.chdir(home)
    except OSError:  # where the worker was started may not be entered any more
        os.chdir("/")


def _explained(error: OSError, name: str, program: bytes, cwd: bytes) -> CannotStartError:
    if error.errno in OUT_OF_RESOURCES:
        return CannotStartError(f"no resources to start a process: {error.strerror}", out_of_resources=True)
    if error.errno == errno.E2BIG:
        return CannotStartError("command and environment are too large for the operating system (E2BIG)")
    if error.errno == errno.EACCES:
        return CannotStartError(f"{name} is not executable")
    if error.errno == errno.ENOEXEC:
        return CannotStartError(f"{name} is no program for this machine and has no #! line")
    if error.errno != errno.ENOENT:
        return CannotStartError(f"{name} can't be started: {error.strerror}")
    if os.path.exists(os.path.join(cwd, program)):  # noqa: PTH110, PTH118 (bytes)
        return CannotStartError(f"{name} can't be started: the interpreter in its #! line does not exist")
    return CannotStartError(f"{name} not found")
