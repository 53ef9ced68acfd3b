"""Processes of a bench: none outlives its block."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

REPOSITORY = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
QUEUECTL = str(BIN / "queuectl")
_STOP_S = 10


class Missing(Exception):  # noqa: N818  it is no error: the table says so
    """A contestant can't take part; the text says why."""


def surroundings(**extra: str) -> dict[str, str]:
    """Return the environment of a contestant: this one, less what would configure queuectl."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("QUEUECTL_")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed program is compiled once, not at every start
    path = f"{BIN}{os.pathsep}{kept.get('PATH', os.defpath)}"
    return {**kept, "PATH": path, "PYTHONPATH": str(REPOSITORY), **extra}


@contextmanager
def running(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    folder: Path,
    stop: signal.Signals = signal.SIGTERM,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server or worker for the time of the block; its output goes to a file in `folder`."""
    log = folder / f"{Path(argv[0]).name}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            argv,
            env=dict(env),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        _end(process, stop)


def run(
    argv: Sequence[str], *, env: Mapping[str, str], folder: Path, given: bytes | None = None, timeout: float
) -> bytes:
    """Run a command to its end and return its output. Missing with its last words when it fails or takes too long."""
    try:
        done = subprocess.run(
            argv, env=dict(env), cwd=folder, input=given, capture_output=True, timeout=timeout, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"{Path(argv[0]).name} failed: {error}") from None
    if done.returncode:
        raise Missing(f"{Path(argv[0]).name} failed: {_last_words(done.stderr) or f'exit {done.returncode}'}")
    return done.stdout


def run_or_die(
    argv: Sequence[str], *, env: Mapping[str, str], folder: Path, given: bytes = b"", timeout: float = 1800
) -> bytes:
    """Run a command of queuectl to its end and return its output; the bench ends when it fails."""
    try:
        return run(argv, env=env, folder=folder, given=given, timeout=timeout)
    except Missing as failure:
        raise SystemExit(f"benchmarks: {failure}") from None


def compiled(source: str, folder: Path) -> str:
    """Compile a C program of this folder and return its path."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise SystemExit("benchmarks: no C compiler (Debian, Ubuntu: apt install gcc libc6-dev)")
    program = folder / Path(source).stem
    subprocess.run([compiler, "-O2", "-o", program, REPOSITORY / "benchmarks" / source], check=True)
    return str(program)


def end_all_in(folder: Path) -> None:
    """Kill every process that works in a folder, whoever its parent is by now: daemons, what a killed one left."""
    until = time.monotonic() + _STOP_S
    while (found := _working_in(folder)) and time.monotonic() < until:
        for process in found:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(found, timeout=0.2)


def _end(process: subprocess.Popen[bytes], stop: signal.Signals) -> None:
    family = _family(process.pid)
    with suppress(ProcessLookupError, subprocess.TimeoutExpired):
        process.send_signal(stop)
        process.wait(_STOP_S)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    for member in family:
        with suppress(psutil.Error):
            member.kill()
    process.wait()


def _working_in(folder: Path) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["cwd"])
        if process.info["cwd"] and Path(process.info["cwd"]).is_relative_to(folder)
    ]


def _family(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def _last_words(output: bytes) -> str:
    lines = output.decode(errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else ""
