"""Durations and sizes as people write them: `1h30m`, `250ms`, `64KiB`."""

from __future__ import annotations

import math
import re
from decimal import ROUND_HALF_UP, Decimal

MAX_DURATION_MS = 100 * 36_525 * 864_000
"""100 years."""
MAX_SIZE = 1 << 60
"""1 EiB."""

_DURATION_UNITS = {
    "w": 604_800_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1000,
    "ms": 1,
}
_SIZE_UNITS = {
    "B": 1,
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
    "TiB": 1 << 40,
}
_SIZE_UNITS_BY_NAME = {name.lower(): unit for name, unit in _SIZE_UNITS.items()}
_HUGE = 10**30
_NUMBER = r"[0-9]{1,20}(?:\.[0-9]{1,20})?"
_DURATION = " ?".join(rf"(?:({_NUMBER}) ?{unit})?" for unit in _DURATION_UNITS)
_SIZE = rf"(?ia)({_NUMBER}) ?([a-z]+)"
"""Patterns are compiled when they are first needed: most commands read no duration."""


def parse_duration(value: str | float, *, allow_zero: bool = False) -> int:
    """Read `250ms`, `30s`, `1h30m`, `1.5h`, `7d`, `2w` or a bare number of seconds; give milliseconds.

    ValueError for anything else, for zero unless it is allowed, and beyond 100 years.
    """
    ms = _bare_number(value, 1000)
    if ms is None and isinstance(value, str) and (match := re.fullmatch(_DURATION, value.strip())):
        parts = zip(match.groups(), _DURATION_UNITS.values(), strict=True)
        amounts = [Decimal(number) * unit for number, unit in parts if number]
        ms = sum(amounts, Decimal()) if amounts else None
    if ms is None:
        raise ValueError(f"expected a duration such as 30s, 1h30m or 7d, found {_shown(value)}")
    whole = _whole(ms)
    if whole < 0 or (whole == 0 and not (allow_zero and ms == 0)):
        raise ValueError(
            f"expected a duration of at least {0 if allow_zero else '1ms'}, found {_shown(value)}"
        )
    if whole > MAX_DURATION_MS:
        raise ValueError(f"expected a duration of at most 100 years, found {_shown(value)}")
    return whole


def format_duration(ms: int) -> str:
    """Write a duration so that `parse_duration` reads it back: `1h30m`, `250ms`, `2.5s`, `0s`."""
    if ms < 0:
        return f"-{format_duration(-ms)}"
    if 0 < ms < 1000:
        return f"{ms}ms"
    text = ""
    for name in ("d", "h", "m"):
        count, ms = divmod(ms, _DURATION_UNITS[name])
        text += f"{count}{name}" if count else ""
    if ms or not text:
        seconds, rest = divmod(ms, 1000)
        text += f"{seconds}" + f".{rest:03d}".rstrip("0") * bool(rest) + "s"
    return text


def rough_duration(ms: float) -> str:
    """Write a duration in its two largest units: `250ms`, `1.5s`, `12s`, `3m 5s`, `2d 4h`."""
    ms = int(ms)
    if ms < 1000:
        return f"{ms}ms"
    if ms < 10_000:
        return f"{ms / 1000:.1f}".removesuffix(".0") + "s"
    for large, small in (("d", "h"), ("h", "m"), ("m", "s")):
        size, part = _DURATION_UNITS[large], _DURATION_UNITS[small]
        if ms >= size:
            rest = ms % size // part
            return f"{ms // size}{large}" + (f" {rest}{small}" if rest else "")
    return f"{ms // 1000}s"


def parse_size(value: str | float, *, allow_zero: bool = False) -> int:
    """Read `64KiB`, `1.5GiB`, `10MB` or a bare number of bytes; give bytes, rounded to whole ones.

    ValueError for anything else, for zero unless it is allowed, and beyond 1 EiB.
    """
    size = _bare_number(value, 1)
    if (
        size is None
        and isinstance(value, str)
        and (match := re.fullmatch(_SIZE, value.strip(), re.IGNORECASE | re.ASCII))
    ):
        unit = _SIZE_UNITS_BY_NAME.get(match[2].lower())
        size = Decimal(match[1]) * unit if unit else None
    if size is None:
        raise ValueError(f"expected a size such as 64KiB, 10MB or 1GiB, found {_shown(value)}")
    whole = _whole(size)
    if whole < 0 or (whole == 0 and not (allow_zero and size == 0)):
        raise ValueError(f"expected a size of at least {0 if allow_zero else '1B'}, found {_shown(value)}")
    if whole > MAX_SIZE:
        raise ValueError(f"expected a size of at most 1EiB, found {_shown(value)}")
    return whole


def format_size(size: int) -> str:
    """Write a number of bytes for people: `64KiB` where that is exact, else `1.4MiB`; `512B`."""
    names = ("TiB", "GiB", "MiB", "KiB") if size >= _SIZE_UNITS["KiB"] else ()
    name = next((name for name in names if round(size / _SIZE_UNITS[name], 1) >= 1), "B")
    amount = size / _SIZE_UNITS[name]
    return f"{amount:.{0 if amount.is_integer() else 1}f}{name}"


def _bare_number(value: str | float, unit: int) -> Decimal | None:
    """Give `value` in the smaller unit; None when it is no bare number."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        return Decimal(value.strip()) * unit if re.fullmatch(_NUMBER, value.strip()) else None
    if value != value or abs(value) == math.inf:  # noqa: PLR0124  (math.isfinite fails on large whole numbers)
        raise ValueError(f"expected a finite number, found {value}")
    return Decimal(str(value)) * unit if abs(value) < _HUGE else Decimal(_HUGE)


def _whole(amount: Decimal) -> int:
    return int(amount.to_integral_value(ROUND_HALF_UP))


def _shown(value: str | float) -> str:
    if isinstance(value, str):
        return repr(value if len(value) <= 40 else value[:40] + "…")
    return repr(value) if abs(value) < _HUGE else "a very large number"
