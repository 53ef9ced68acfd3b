"""What a fault needs of the machine: a laptop may lack it, CI may not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

NOBODY = 65534


def need(there: bool, what: str) -> None:
    """Skip the test where something is missing; in CI, fail it."""
    if there:
        return
    if os.environ.get("CI"):
        pytest.fail(f"CI has to have this: {what}")
    pytest.skip(f"needs {what}")


def need_tool(name: str) -> None:
    """Need a program on the PATH."""
    need(shutil.which(name) is not None, f"{name} (Debian: apt install {name})")


def as_nobody() -> tuple[str, ...]:
    """Return the words that run a command as an ordinary user; none where the tests run as one."""
    if os.getuid() != 0:
        return ()
    need_tool("setpriv")
    words = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    can = subprocess.run(
        [*words, sys.executable, "-c", "import queuectl"], cwd="/", check=False, capture_output=True
    )
    need(can.returncode == 0, "a checkout and a Python that other users may read")
    return words


@contextmanager
def small_disk(folder: Path, size: str = "512k") -> Iterator[Path]:
    """Mount a small tmpfs on a new folder."""
    need(sys.platform == "linux" and os.getuid() == 0, "root on Linux, to mount a small disk")
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", folder],
        check=False,
        capture_output=True,
    )
    need(mounted.returncode == 0, "the right to mount a tmpfs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(disk: Path, *, leave: int = 0) -> Path:
    """Fill a disk to its last block but `leave` bytes; return the file that does so."""
    ballast = disk / "ballast"
    with ballast.open("ab", buffering=0) as file:
        for size in (64 * 1024, 4096):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    if leave:
        os.truncate(ballast, max(0, ballast.stat().st_size - leave))
    return ballast
