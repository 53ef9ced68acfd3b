"""What differs between two versions of a spec, in the words of the spec file."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

import msgspec

from queuectl.model.env import EnvRef
from queuectl.model.hook import Hook, Hooks
from queuectl.model.spec import MASK, ExitCodes, JobSpec, Keep
from queuectl.rules.hooks import shown
from queuectl.rules.instants import format_instant
from queuectl.rules.rates import format_rate
from queuectl.rules.units import format_duration, format_size


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A field that differs; the values as text, None where it isn't set. Plain values of `env` are masked."""

    field: str
    """Dotted: `schedule.cron`, `env.PGHOST`."""
    old: str | None
    new: str | None


def changes(old: JobSpec, new: JobSpec) -> tuple[Change, ...]:
    """Return what differs, in the order of the documentation."""
    if old == new:
        return ()
    before, after = dict(_fields(old)), dict(_fields(new))
    return tuple(
        Change(field=field, old=was.text, new=becomes.text)
        for field in dict.fromkeys([*before, *after])
        if (was := before.get(field, _UNSET)).value != (becomes := after.get(field, _UNSET)).value
        and not (was.is_absence and becomes.is_absence)
    )


class _Value(NamedTuple):
    value: Any
    text: str | None
    is_absence: bool
    """Says no more than leaving the field out."""


_UNSET = _Value(None, None, True)


def _fields(struct: msgspec.Struct, prefix: str = "") -> Iterator[tuple[str, _Value]]:
    for field in _declared(type(struct)):
        value = getattr(struct, field.name)
        name = prefix + field.name.removesuffix("_ms").removesuffix("_bytes").removesuffix("_us")
        if isinstance(value, Mapping):
            yield from (
                (f"{name}.{key}", _Value(inner, _text(name, inner), False)) for key, inner in value.items()
            )
        elif isinstance(value, msgspec.Struct) and not isinstance(value, ExitCodes):
            yield from _fields(value, "on_" if isinstance(value, Hooks) else f"{name}.")
        else:
            yield name, _Value(value, _text(field.name, value), value is None or value == field.default)


@cache
def _declared(kind: type[msgspec.Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    return msgspec.structs.fields(kind)


def _text(name: str, value: Any) -> str | None:
    match value:
        case None:
            return None
        case bool():
            return str(value).lower()
        case int():
            return _number(name, value)
        case dict():
            return msgspec.json.encode(value).decode()
        case (Hook(), *_):
            return "; ".join(map(shown, value))
        case tuple() if name == "needs":
            return ", ".join(map(str, value)) or None
        case tuple():
            return "; ".join(value) if name == "cron" else shlex.join(value)
        case str() if name == "env":
            return MASK
        case EnvRef():
            return f"from_env {value.from_env}" if value.from_env else f"from_file {value.from_file}"
        case Keep():
            return str(value.count) if value.for_ms is None else format_duration(value.for_ms)
        case ExitCodes():
            return _exit_codes(value)
        case _:
            return str(value)


def _number(name: str, value: int) -> str:
    if name == "run_at_ms":
        return format_instant(value)
    unit = next((unit for unit in _UNITS if name.endswith(unit)), None)
    return _UNITS[unit](value) if unit else str(value)


_UNITS = {"_ms": format_duration, "_bytes": format_size, "_us": format_rate}


def _exit_codes(codes: ExitCodes) -> str:
    rules = [
        f"{meaning} {', '.join(str(low) if low == high else f'{low}-{high}' for low, high in ranges)}"
        for meaning, ranges in codes.rules
    ]
    return "; ".join([*rules, f"snooze_for {format_duration(codes.snooze_for_ms)}"])
