"""The shell protocol: what a job says in the file named by `QUEUECTL_OUTPUT`, a `key=value` a line."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from queuectl.model.job import Said
from queuectl.rules.units import parse_duration

MAX_BYTES = 64 * 1024
"""Of the file; what is longer is not read."""
MAX_OUTPUTS = 100
MAX_FAULTS = 5
"""That are named."""
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")


def parse_said(content: bytes) -> Said:
    r"""Read what a job said. The last line of a key wins; what can't be read is named in `faults`.

    >>> said = parse_said(b"rows=1\nprogress=0.5\nrows=42\n")
    >>> said.outputs, said.progress
    ({'rows': '42'}, 0.5)
    """
    found: dict[str, Any] = {}
    outputs: dict[str, str] = {}
    faults: list[str] = []
    for number, line in enumerate(_lines(content), 1):
        try:
            if line.strip():
                _take(line, found, outputs)
        except ValueError as error:
            faults.append(f"QUEUECTL_OUTPUT, line {number}: {error}")
    if len(faults) > MAX_FAULTS:
        faults[MAX_FAULTS:] = [f"{len(faults) - MAX_FAULTS} more lines could not be read"]
    if len(content) > MAX_BYTES:
        faults.append(f"QUEUECTL_OUTPUT: expected at most {MAX_BYTES:,} bytes; what follows was not read")
    return Said(outputs=outputs, faults=tuple(faults), **found)


def variable(name: str, key: str) -> str:
    """Return the variable in which an output reaches the jobs that need it: `NEEDS_EXTRACT_SHOP_ROWS`."""
    return re.sub(r"[^A-Z0-9]", "_", f"NEEDS_{name}_{key}".upper())


def _lines(content: bytes) -> list[str]:
    """Return the lines, as a shell has them: only a newline ends one. One that was cut off is none."""
    lines = content[:MAX_BYTES].decode("utf-8", "replace").split("\n")
    whole = lines[:-1] if len(content) > MAX_BYTES else lines
    return [line.removesuffix("\r") for line in whole]


def _take(line: str, found: dict[str, Any], outputs: dict[str, str]) -> None:
    key, equals, value = line.partition("=")
    if not equals or not _KEY.fullmatch(key):
        raise ValueError("expected key=value, the key of letters, digits and _")
    if key in _WORDS:
        name, read = _WORDS[key]
        found[name] = read(value.strip())
        return
    if "\0" in value:
        raise ValueError(f"{key}: a NUL character can't be passed on")
    if key not in outputs and len(outputs) >= MAX_OUTPUTS:
        raise ValueError(f"expected at most {MAX_OUTPUTS} outputs")
    outputs[key] = value


def _progress(value: str) -> float:
    try:
        share = float(value)
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        raise ValueError(f"progress: expected a number from 0 to 1, found {value[:40]!r}")
    return share


def _text(value: str) -> str:
    return value[:1000]


_WORDS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "progress": ("progress", _progress),
    "summary": ("summary", _text),
    "snooze": ("snooze_ms", parse_duration),
    "cancel": ("cancel", _text),
}
