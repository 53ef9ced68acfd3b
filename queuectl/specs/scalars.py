"""What a plain YAML scalar means: YAML 1.2's core schema, so `no`, `on` and `12:30` are strings and `010` is 10."""

from __future__ import annotations

import math
import re

MAX_DIGITS = 100

_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_BASES = {"0o": 8, "0x": 16}


def resolve(text: str) -> str | int | float | bool | None:
    """The value of a scalar that was written without quotes; ValueError for a number nobody can work with."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    is_integer = _INTEGER.fullmatch(text)
    if len(text) > MAX_DIGITS and (is_integer or _FLOAT.fullmatch(text)):
        raise ValueError(f"a number of {len(text):,} digits is too long")
    if is_integer:
        return int(text[2:], _BASES[text[:2]]) if text[:2] in _BASES else int(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        if not math.isfinite(number):
            raise ValueError(f"expected a finite number; found {text[:20]}")
        return number
    if _NOT_FINITE.fullmatch(text):
        raise ValueError(f"expected a finite number; found {text}")
    return text
