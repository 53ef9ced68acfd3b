"""The run's own log: one line per event, for people or for machines."""

from __future__ import annotations

import functools
import json
import logging
import os
import re
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from queuectl.rules.units import format_duration
from queuectl.store.private import make_private_folder

Format = Literal["text", "json"]

_logger = logging.getLogger("queuectl")
_logger.addHandler(logging.NullHandler())  # a program that only imports queuectl hears nothing of it
_QUOTED = re.compile('[ "=]')
_COLOURS = {"completed": "32", "dead": "1;31", "failed": "33", "lost": "31", "warning": "33", "error": "31"}


def event(name: str, *, level: int = logging.INFO, **fields: Any) -> None:
    """Log that something happened to something. Fields that are None are left out."""
    if _logger.isEnabledFor(level):
        # Not by `log`, which looks for the caller at the price of the rest.
        record = logging.LogRecord(_logger.name, level, "", 0, name, None, None)
        record.fields = {key: value for key, value in fields.items() if value is not None}
        _logger.handle(record)


def open_journal(style: Format, level: str, file: str | None) -> logging.Handler:
    """Send events to a file (0600, appended to) or to stderr; what can't be written is dropped, never raised."""
    logging.raiseExceptions = False
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False  # nothing shows them
    handler: logging.Handler = logging.StreamHandler(sys.stderr)
    if file is not None:
        make_private_folder(Path(file).absolute().parent)
        handler = _Lines(os.open(file, os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    coloured = (
        file is None and sys.stderr is not None and sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    )
    handler.setFormatter(_Json() if style == "json" else _Text(coloured=coloured))
    _logger.handlers = [handler]
    _logger.setLevel(level.upper())
    _logger.propagate = False
    return handler


class _Lines(logging.Handler):
    """Writes each line to a file at once, so that several processes may write to it."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError):
            os.write(self._descriptor, (self.format(record) + "\n").encode("utf-8", "backslashreplace"))

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        super().close()


class _Json(logging.Formatter):
    """`{"time": …, "level": …, "event": …, …}`."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {
            "time": moment.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "event": record.msg,
            **getattr(record, "fields", {}),
        }
        return json.dumps(line, ensure_ascii=True, default=str)


class _Text(logging.Formatter):
    """`02:00:01 completed job=12 spec=backup …`, control characters made visible."""

    def __init__(self, *, coloured: bool) -> None:
        super().__init__()
        self._coloured = coloured

    def format(self, record: logging.LogRecord) -> str:
        moment = _moment(int(record.created))
        fields = " ".join(_field(key, value) for key, value in getattr(record, "fields", {}).items())
        name = str(record.msg)
        colour = _COLOURS.get(name) or _COLOURS.get(record.levelname.lower())
        if self._coloured and colour:
            name = f"\x1b[{colour}m{name}\x1b[0m"
        return f"{moment} {name} {fields}".rstrip()


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
