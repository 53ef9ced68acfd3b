"""What the system can run and the store can keep: limits of a command, its environment and a key."""

from __future__ import annotations

import re

from queuectl.model.spec import MAX_COMMAND_BYTES, PRIORITY_RANGE, RETRIES_RANGE, JobSpec

MAX_KEY_LENGTH = 200
MAX_REASON_LENGTH = 1000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def check_job(spec: JobSpec) -> None:
    """Raise ValueError, which names the field, for what no attempt could run."""
    if isinstance(spec.command, tuple):
        if not spec.command or not spec.command[0]:
            raise ValueError("command: expected a program at the head of the list, found nothing")
    elif not spec.command.strip():
        raise ValueError("command: expected what to run, found nothing")
    for argument in (spec.command,) if isinstance(spec.command, str) else spec.command:
        _check_text("command", argument)
    for name, value in spec.env.items():
        _check_text("env", name)
        if not name or "=" in name or name.startswith("QUEUECTL_"):
            what = "the name of a variable, without = and not QUEUECTL_… (the worker sets those)"
            raise ValueError(f"env: expected {what}; found {name!r}")
        if isinstance(value, str):
            _check_text(f"env {name}", f"{name}={value}")
    _check_text("cwd", spec.cwd or "")
    check_queue(spec.queue)
    _check_range("priority", spec.priority, PRIORITY_RANGE)
    _check_range("retries", spec.retries or 0, RETRIES_RANGE)


def check_queue(name: str) -> None:
    """Raise ValueError for what is no name of a queue."""
    if not _NAME.fullmatch(name):
        expected = (
            "a name of 1 to 100 letters, digits, dots, underscores and hyphens, the first a letter or digit"
        )
        raise ValueError(f"queue: expected {expected}; found {name[:100]!r}")


def check_key(key: str) -> None:
    """Raise ValueError for a key that can't be kept or typed."""
    _check_text("key", key)
    if not key or len(key) > MAX_KEY_LENGTH or not key.isprintable():
        raise ValueError(f"key: expected 1…{MAX_KEY_LENGTH} printable characters, found {key[:40]!r}")


def check_reason(reason: str | None) -> None:
    """Raise ValueError for a reason of a pause that can't be kept or is no reason but a book."""
    _check_text("reason", reason or "")
    if reason is not None and len(reason) > MAX_REASON_LENGTH:
        raise ValueError(f"reason: expected at most {MAX_REASON_LENGTH} characters, found {len(reason):,}")


def _check_text(field: str, text: str) -> None:
    if "\0" in text:
        raise ValueError(f"{field}: a NUL character can't be passed to a program")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise ValueError(f"{field}: expected UTF-8, found other bytes") from None
    if size > MAX_COMMAND_BYTES:
        raise ValueError(
            f"{field}: expected at most {MAX_COMMAND_BYTES:,} bytes, as the system allows; found {size:,}"
        )


def _check_range(field: str, value: int, bounds: tuple[int, int]) -> None:
    low, high = bounds
    if not low <= value <= high:
        raise ValueError(f"{field}: expected {low}…{high}, found {value}")
