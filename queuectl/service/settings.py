"""Settings: which value of each configuration key is in force, where it comes from, and changing it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from queuectl.model.config import KEYS, Config, Kind
from queuectl.model.errors import UsageError
from queuectl.model.hook import Hook
from queuectl.model.spec import RETRIES_RANGE, Keep
from queuectl.rules.nearest import did_you_mean
from queuectl.rules.units import format_duration, format_size, parse_duration, parse_size

if TYPE_CHECKING:
    from queuectl.service.context import Context

Origin = Literal["default", "set", "environment", "flag"]

_LEVELS = {"log_level": ("debug", "info", "warning", "error"), "durability": ("full", "normal")}
_OLD_NAMES = {"timeout": "default_timeout"}
_BEATS_PER_LEASE = 3
_FEWEST_BEATS_PER_LEASE = 2
SHORTEST_LEASE_MS = 500


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration key with the value that is in force."""

    key: str
    """As people write it: `max-retries`."""
    value: str
    """As it can be set again; `none` where there is none."""
    origin: Origin
    meaning: str


class _Written(msgspec.Struct, frozen=True):
    text: str
    origin: Origin
    place: str


def effective(
    stored: Mapping[str, str], environ: Mapping[str, str], overrides: Mapping[str, str] | None = None
) -> Config:
    """Return the configuration in force: flag, else `QUEUECTL_*`, else `config set`, else default.

    UsageError, naming where it was written, for a value that can't be used.
    """
    return _config(_written(stored, environ, overrides or {}))


def entries(ctx: Context) -> list[Setting]:
    """Return every key with the value in force, in the order of the documentation."""
    written = _written(ctx.store.settings.all(), ctx.environ, ctx.overrides)
    config = _config(written)
    return [_setting(name, config, written) for name in KEYS]


def get(ctx: Context, key: str) -> Setting:
    """Return one key; it may be written with `-` or `_`. UsageError when there is none such."""
    wanted = _shown(_field(key))
    return next(setting for setting in entries(ctx) if setting.key == wanted)


def set_(ctx: Context, values: Mapping[str, str]) -> list[Setting]:
    """Keep values in the queue, all or none; they reach a running worker when it is restarted.

    UsageError for an unknown key, or a value that can't be used, alone or beside the others.
    """
    named = {_field(key): text.strip() for key, text in values.items()}
    if "on_dead" in named:
        _check_notification("on-dead", named["on_dead"])
    with ctx.store.transaction():
        effective({**ctx.store.settings.all(), **named}, {})
        for name, text in named.items():
            ctx.store.settings.set(name, text)
    return [get(ctx, key) for key in named]


def unset(ctx: Context, key: str) -> bool:
    """Forget what was set for a key. False when nothing was."""
    name = _field(key)
    with ctx.store.transaction():
        kept = {other: text for other, text in ctx.store.settings.all().items() if other != name}
        effective(kept, {})
        return ctx.store.settings.unset(name)


def reset(ctx: Context) -> int:
    """Forget everything that was set. Returns how many keys there were."""
    return ctx.store.settings.reset()


def _field(key: str) -> str:
    name = key.strip().lower().replace("-", "_")
    name = _OLD_NAMES.get(name, name)
    if name not in KEYS:
        near = did_you_mean(key, map(_shown, KEYS))
        raise UsageError(
            f"there is no configuration key {key!r}{near or '; `queuectl config list` shows them all'}"
        )
    return name


def _shown(name: str) -> str:
    return name.replace("_", "-")


def _written(
    stored: Mapping[str, str], environ: Mapping[str, str], overrides: Mapping[str, str]
) -> dict[str, _Written]:
    """Collect the texts in force by field name: what a stronger place says hides the weaker ones."""
    found = {
        name: _Written(text, "set", f"config {_shown(name)}") for name, text in stored.items() if name in KEYS
    }
    for name, target in [*_OLD_NAMES.items(), *((name, name) for name in KEYS)]:
        variable = f"QUEUECTL_{name.upper()}"
        if text := environ.get(variable):
            found[target] = _Written(text, "environment", variable)
    for key, text in overrides.items():
        found[_field(key)] = _Written(text, "flag", f"--{_shown(key)}")
    return found


def _config(written: Mapping[str, _Written]) -> Config:
    values: dict[str, Any] = {}
    for name, source in written.items():
        try:
            values[name] = _PARSERS[KEYS[name].kind](name, source.text)
        except ValueError as error:
            raise UsageError(f"{source.place}: {error}") from None
    return Config(**_with_heartbeat(values, written))


def _with_heartbeat(values: dict[str, Any], written: Mapping[str, _Written]) -> dict[str, Any]:
    """See that a worker shows several times a lease that it lives, or a live one would be held for dead."""
    defaults = Config()
    lease, heartbeat = values.get("lease", defaults.lease), values.get("heartbeat", defaults.heartbeat)
    if lease < SHORTEST_LEASE_MS:
        raise UsageError(
            f"{written['lease'].place}: expected at least {format_duration(SHORTEST_LEASE_MS)},"
            f" found {format_duration(lease)}: a busy machine would hold live workers for dead"
        )
    if lease >= heartbeat * _FEWEST_BEATS_PER_LEASE:
        return values
    if "heartbeat" not in written:
        return {**values, "heartbeat": max(1, lease // _BEATS_PER_LEASE)}
    place = written["heartbeat"].place
    raise UsageError(
        f"{place}: expected a heartbeat of at most half the lease ({format_duration(lease)}),"
        f" found {format_duration(heartbeat)}"
    )


def _setting(name: str, config: Config, written: Mapping[str, _Written]) -> Setting:
    return Setting(
        key=_shown(name),
        value=_format(KEYS[name].kind, getattr(config, name)),
        origin=written[name].origin if name in written else "default",
        meaning=KEYS[name].meaning,
    )


def _format(kind: Kind, value: Any) -> str:
    if value is None:
        return "none"
    match kind:
        case "duration" | "duration or zero" | "duration or none":
            return value if isinstance(value, str) else format_duration(value)
        case "size":
            return format_size(value) if parse_size(format_size(value)) == value else str(value)
        case "keep":
            return str(value.count) if value.for_ms is None else format_duration(value.for_ms)
        case "factor" | "share":
            return f"{value:g}" if float(f"{value:g}") == value else repr(value)
        case "hook":
            from queuectl.rules.hooks import shown  # noqa: PLC0415  most queues have none

            return shown(value)
        case _:
            return str(value)


def _count(_: str, text: str) -> int:
    low, high = RETRIES_RANGE
    if not (text.strip().isascii() and text.strip().isdecimal() and low <= int(text[:20]) <= high):
        raise ValueError(f"expected a whole number {low}…{high}, found {text!r}")
    return int(text)


def _factor(_: str, text: str) -> float:
    number = _number(text)
    if number is None or number < 1:
        raise ValueError(f"expected a number of at least 1, found {text!r}")
    return number


def _share(_: str, text: str) -> float:
    number = _number(text)
    if number is None or not 0 <= number <= 1:
        raise ValueError(f"expected a number 0…1, found {text!r}")
    return number


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _duration(_: str, text: str) -> int:
    return parse_duration(text)


def _duration_or_zero(_: str, text: str) -> int:
    return parse_duration(text, allow_zero=True)


def _duration_or_none(_: str, text: str) -> int | str:
    return "none" if text.strip().lower() == "none" else parse_duration(text)


def _size(_: str, text: str) -> int:
    return parse_size(text)


def _zone(_: str, text: str) -> str:
    from queuectl.rules.zones import zone_named  # noqa: PLC0415  most commands name no zone

    return zone_named(text.strip()).key


def _keep(_: str, text: str) -> Keep:
    """A bare number is a count; a duration has a unit."""
    plain = text.strip()
    if plain.isascii() and plain.isdecimal() and len(plain) < 10:
        return Keep(count=int(plain))
    try:
        return Keep(for_ms=parse_duration(plain))
    except ValueError:
        raise ValueError(f"expected an age such as 7d or a count such as 100, found {text!r}") from None


def _path(_: str, text: str) -> str | None:
    if text.strip().lower() == "none":
        return None
    try:
        text.encode()
        path = str(Path(text).expanduser().absolute())
    except (RuntimeError, OSError, UnicodeEncodeError):  # ~nobody-so-named, or the current folder is gone
        raise ValueError(f"expected an absolute path, found {text!r}") from None
    if not text.strip() or "\0" in text:
        raise ValueError(f"expected a path, or none; found {text!r}")
    return path


def _level(name: str, text: str) -> str:
    levels = _LEVELS[name]
    if text.strip().lower() not in levels:
        raise ValueError(f"expected {' or '.join(levels)}, found {text!r}{did_you_mean(text, levels)}")
    return text.strip().lower()


def _check_notification(key: str, text: str) -> None:
    """Refuse a notification that could never be sent, as apply does."""
    from queuectl.service.notify import check_notification_url  # noqa: PLC0415  only where one is set

    hook = effective({"on_dead": text}, {}).on_dead
    if hook is not None and isinstance(hook.notify, str):
        try:
            check_notification_url(hook.notify)
        except UsageError as error:
            raise UsageError(f"config {key}: {error}") from None


def _hook(_: str, text: str) -> Hook | None:
    from queuectl.rules.hooks import check_hook, parse_hook  # noqa: PLC0415  as above

    if text.strip().lower() == "none":
        return None
    hook = parse_hook(text.strip())
    check_hook(hook)
    return hook


_PARSERS: dict[Kind, Callable[[str, str], object]] = {
    "count": _count,
    "factor": _factor,
    "share": _share,
    "duration": _duration,
    "duration or zero": _duration_or_zero,
    "duration or none": _duration_or_none,
    "size": _size,
    "zone": _zone,
    "keep": _keep,
    "path": _path,
    "level": _level,
    "hook": _hook,
}
