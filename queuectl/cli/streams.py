"""Standard input, output and error: always there, always UTF-8, and never a traceback at the end."""

from __future__ import annotations

import contextlib
import io
import os
import sys


def prepare() -> None:
    """Open what the caller closed, so that no file of ours gets descriptor 0, 1 or 2; and speak UTF-8."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number: this one
    for name, descriptor, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(descriptor, mode, encoding="utf-8", closefd=False))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(
                encoding="utf-8", errors="surrogateescape" if mode == "r" else "backslashreplace"
            )


def finish() -> None:
    """Write out what is buffered; OSError when it can't be (disk full, reader gone)."""
    sys.stdout.flush()
    sys.stderr.flush()


def abandon() -> None:
    """Drop what is buffered for stdout, so that the interpreter doesn't try to write it when it ends."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except OSError:
                os.dup2(null, stream.fileno())
        os.close(null)
