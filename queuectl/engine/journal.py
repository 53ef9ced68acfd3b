"""The run's own log: one line per event, for people or for machines."""

from __future__ import annotations

import functools
import io
import json
import logging
import os
import re
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TextIO

from queuectl.rules.units import format_duration
from queuectl.store.private import make_private_folder

Format = Literal["text", "json"]
Form = Callable[[float, int, str, Mapping[str, Any]], str]
"""(when, level, event, fields) → the line."""

_logger = logging.getLogger("queuectl")
_logger.addHandler(logging.NullHandler())  # a program that only imports queuectl hears nothing of it
_QUOTED = re.compile('[ "=]')
_journal: _Journal | None = None
"""None in a program that only imports queuectl: its own logging decides."""
_COLOURS = {"completed": "32", "dead": "1;31", "failed": "33", "lost": "31", "warning": "33", "error": "31"}


def event(name: str, *, level: int = logging.INFO, **fields: Any) -> None:
    """Log that something happened to something. Fields that are None are left out."""
    if _journal is not None:
        _journal.enter(level, name, fields)
    elif _logger.isEnabledFor(level):
        _logger.log(level, name, extra={"fields": fields})


def open_journal(style: Format, level: str, file: str | None) -> None:
    """Send events to a file (0600, appended to) or to stderr; what can't be written is dropped, never raised."""
    global _journal  # noqa: PLW0603  of the process, like its stderr
    stream: TextIO | None = sys.stderr
    if file is not None:
        make_private_folder(Path(file).absolute().parent)
        stream = _direct(os.open(file, os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    coloured = file is None and stream is not None and stream.isatty() and not os.environ.get("NO_COLOR")
    form = _json if style == "json" else _coloured if coloured else _plain
    if file is None and stream is not None:
        with suppress(OSError, ValueError):  # it is no file but what a program put in its place
            stream = _direct(stream.fileno())
    _journal = _Journal(stream, logging.getLevelNamesMapping()[level.upper()], form)


def _direct(descriptor: int) -> TextIO:
    """Write to a file without a buffer: what could not be written is gone, and fails nothing else at the end."""
    raw = io.FileIO(descriptor, "w", closefd=False)
    return io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", write_through=True)


class _Journal:
    """A stream of lines, each written at once: several processes may write to the same file."""

    def __init__(self, stream: TextIO | None, level: int, form: Form) -> None:
        self._stream = stream
        self._level = level
        self._form = form

    def enter(self, level: int, name: str, fields: Mapping[str, Any]) -> None:
        """Write a line. A module of the standard library would do it too, for twice the time that a job has."""
        if level >= self._level and self._stream is not None:
            kept = {key: value for key, value in fields.items() if value is not None}
            with suppress(OSError, ValueError):
                self._stream.write(self._form(time.time(), level, name, kept) + "\n")
                self._stream.flush()


def _json(at: float, level: int, name: str, fields: Mapping[str, Any]) -> str:
    """`{"time": …, "level": …, "event": …, …}`."""
    moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    line = {"time": moment, "level": logging.getLevelName(level).lower(), "event": name, **fields}
    return json.dumps(line, ensure_ascii=True, default=str)


def _plain(at: float, _level: int, name: str, fields: Mapping[str, Any]) -> str:
    """`02:00:01 completed job=12 spec=backup …`, control characters made visible."""
    shown = " ".join([_field(key, value) for key, value in fields.items()])
    return f"{_moment(int(at))} {name} {shown}".rstrip()


def _coloured(at: float, level: int, name: str, fields: Mapping[str, Any]) -> str:
    colour = _COLOURS.get(name) or _COLOURS.get(logging.getLevelName(level).lower())
    return _plain(at, level, f"\x1b[{colour}m{name}\x1b[0m" if colour else name, fields)


@functools.lru_cache(maxsize=8)
def _moment(second: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second))


def _field(key: str, value: Any) -> str:
    if key.endswith("_ms"):
        key, value = key.removesuffix("_ms"), format_duration(value)
    return f"{key}={_shown(value)}"


def _shown(value: object) -> str:
    text = str(value)
    if type(value) is int:
        return text
    if text and text.isprintable() and not _QUOTED.search(text):
        return text
    return json.dumps(text, ensure_ascii=not text.isprintable())
