"""A schema as one function that says yes or no: twenty times faster than finding out what is wrong, and where.

It reads the keywords that the schema of spec files uses and refuses to guess at any other.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

Test = Callable[[Any], bool]
"""Whether a value suits a schema, or one side of it."""


def suits(schema: Any) -> Test:
    """Return the test that a schema stands for. It holds no references. ValueError for a keyword it can't read."""
    if isinstance(schema, bool):
        return _anything if schema else _nothing
    unread = schema.keys() - _SILENT - {key for keys, _ in _SIDES for key in keys}
    if unread:
        raise ValueError(f"the schema has keywords that are not read here: {', '.join(sorted(unread))}")
    tests = [
        test for keys, side in _SIDES if schema.keys() & keys and (test := side(schema)) is not _anything
    ]
    return _all_of(tests)


def whole(pattern: str) -> re.Pattern[str]:
    """Compile a pattern; `$` is the end, not also the place before a final newline."""
    return re.compile(pattern[:-1] + r"\Z" if pattern.endswith("$") else pattern)


def is_integer(value: Any) -> bool:
    """Whether a value counts as an integer: 1.0 and true don't."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Whether a value counts as a number: a finite one."""
    return is_integer(value) or (isinstance(value, float) and math.isfinite(value))


def _anything(_: Any) -> bool:
    return True


def _nothing(_: Any) -> bool:
    return False


def _all_of(tests: list[Test]) -> Test:
    if len(tests) <= 1:
        return tests[0] if tests else _anything

    def test(value: Any) -> bool:
        for each in tests:  # noqa: SIM110  all() with a generator takes twice as long
            if not each(value):
                return False
        return True

    return test


def _type(schema: Mapping[str, Any]) -> Test:
    wanted = schema["type"]
    return _TYPES[wanted] if isinstance(wanted, str) else _any_of([_TYPES[name] for name in wanted])


def _any_of(tests: list[Test]) -> Test:
    return lambda value: any(test(value) for test in tests)


def _enum(schema: Mapping[str, Any]) -> Test:
    allowed = frozenset(schema["enum"])
    if not all(isinstance(value, str) for value in allowed):
        raise ValueError("an enum of anything but texts is not read here")
    return lambda value: isinstance(value, str) and value in allowed


def _text(schema: Mapping[str, Any]) -> Test:
    least, most = schema.get("minLength", 0), schema.get("maxLength", math.inf)
    matches = whole(schema.get("pattern", "")).search

    def test(value: Any) -> bool:
        return not isinstance(value, str) or (least <= len(value) <= most and matches(value) is not None)

    return test


def _size(schema: Mapping[str, Any]) -> Test:
    least, most = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
    above = schema.get("exclusiveMinimum", -math.inf)
    return lambda value: not is_number(value) or (least <= value <= most and value > above)


def _list(schema: Mapping[str, Any]) -> Test:
    least, most = schema.get("minItems", 0), schema.get("maxItems", math.inf)
    each = suits(schema.get("items", True))

    def test(value: Any) -> bool:
        return not isinstance(value, list) or (least <= len(value) <= most and all(map(each, value)))

    return test


def _members(schema: Mapping[str, Any]) -> Test:
    """What is in a mapping, key by key."""
    known = {key: suits(inner) for key, inner in schema.get("properties", {}).items()}
    patterns = [
        (whole(key).search, suits(inner)) for key, inner in schema.get("patternProperties", {}).items()
    ]
    other = suits(schema.get("additionalProperties", True))

    def test(value: Any) -> bool:
        if not isinstance(value, dict):
            return True
        for key, inner in value.items():
            by_name = known.get(key)
            matching = [fits for matches, fits in patterns if matches(key)]
            if by_name:
                matching.append(by_name)
            if not all(fits(inner) for fits in matching or (other,)):
                return False
        return True

    return test


def _mapping(schema: Mapping[str, Any]) -> Test:
    """What a mapping is as a whole."""
    least, most = schema.get("minProperties", 0), schema.get("maxProperties", math.inf)
    required = frozenset(schema.get("required", ()))
    name = suits(schema.get("propertyNames", True))
    dependent = [(key, suits(inner)) for key, inner in schema.get("dependentSchemas", {}).items()]

    def test(value: Any) -> bool:
        return not isinstance(value, dict) or (
            least <= len(value) <= most
            and required <= value.keys()
            and (name is _anything or all(map(name, value)))
            and all(inner(value) for key, inner in dependent if key in value)
        )

    return test


def _combined(schema: Mapping[str, Any]) -> Test:
    tests = [suits(inner) for inner in schema.get("allOf", ())]
    if "anyOf" in schema:
        tests.append(_any_of([suits(inner) for inner in schema["anyOf"]]))
    if "not" in schema:
        refused = suits(schema["not"])
        tests.append(_nothing if refused is _anything else lambda value: not refused(value))
    if "if" in schema:
        condition, then, otherwise = (suits(schema.get(key, True)) for key in ("if", "then", "else"))
        tests.append(lambda value: then(value) if condition(value) else otherwise(value))
    return _all_of(tests)


_TYPES: dict[str, Test] = {
    "array": lambda value: isinstance(value, list),
    "boolean": lambda value: isinstance(value, bool),
    "integer": is_integer,
    "null": lambda value: value is None,
    "number": is_number,
    "object": lambda value: isinstance(value, dict),
    "string": lambda value: isinstance(value, str),
}

_SILENT = frozenset({"errorMessage", "$schema", "$defs", "title", "description", "examples", "default"})

_SIDES: list[tuple[frozenset[str], Callable[[Mapping[str, Any]], Test]]] = [
    (frozenset({"type"}), _type),
    (frozenset({"enum"}), _enum),
    (frozenset({"minLength", "maxLength", "pattern"}), _text),
    (frozenset({"minimum", "maximum", "exclusiveMinimum"}), _size),
    (frozenset({"minItems", "maxItems", "items"}), _list),
    (
        frozenset({"minProperties", "maxProperties", "required", "propertyNames", "dependentSchemas"}),
        _mapping,
    ),
    (frozenset({"properties", "patternProperties", "additionalProperties"}), _members),
    (frozenset({"allOf", "anyOf", "not", "if", "then", "else"}), _combined),
]
"""Keywords that are read together, in the order of what is found out cheapest."""
