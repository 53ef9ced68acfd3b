"""JSON as it is defined: no duplicate keys, no NaN, no number that nothing holds."""

from __future__ import annotations

from json import JSONDecoder
from typing import Any, NoReturn

from queuectl.model.errors import UsageError

LONGEST_NUMBER = 300
"""Digits: no field takes more, and what reads them as a float can't either."""


def read_json(text: str) -> Any:
    """Read JSON. UsageError for what is well-formed but means nothing sure, JSONDecodeError where it breaks."""
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise UsageError("the JSON is nested too deep") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise UsageError(f"the JSON gives '{twice}' twice")
    return value


def _integer(text: str) -> int:
    if len(text) > LONGEST_NUMBER:
        raise UsageError(f"the JSON holds a number of {len(text)} digits; expected at most {LONGEST_NUMBER}")
    return int(text)


def _no_constant(word: str) -> NoReturn:
    raise UsageError(f"the JSON holds {word}, which is no number; expected a finite one")


_DECODER = JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant, parse_int=_integer)
