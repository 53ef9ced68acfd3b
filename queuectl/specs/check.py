"""A value against the schema: what is wrong, where, in words for people."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from queuectl.rules.nearest import did_you_mean
from queuectl.specs.faults import MAX_FAULTS_SHOWN, cropped
from queuectl.specs.quick import Test, is_integer, is_number, suits, whole
from queuectl.specs.schema import schema

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

ELSEWHERE = {
    "args": "command",
    "cmd": "command",
    "cron": "schedule",
    "directory": "cwd",
    "environment": "env",
    "every": "schedule",
    "exec": "command",
    "max_attempts": "retries",
    "max_retries": "retries",
    "run": "command",
    "script": "command",
    "tags": "labels",
    "tz": "timezone",
    "when": "schedule",
    "workdir": "cwd",
    "working_dir": "cwd",
    "working_directory": "cwd",
}
"""What other tools call a field, and what it is called here."""

_ANNOTATIONS = frozenset({"$schema", "$defs", "title", "description", "examples", "default"})
_MAPS_OF_SCHEMAS = frozenset({"properties", "patternProperties", "dependentSchemas"})
_SCHEMAS = frozenset({"items", "additionalProperties", "propertyNames", "if", "then", "else", "not"})
_LISTS_OF_SCHEMAS = frozenset({"allOf", "anyOf"})


class Problem(NamedTuple):
    """One thing that is wrong with a value."""

    path: tuple[str | int, ...]
    """Keys and indexes from the top of the file or job."""
    message: str
    on_key: bool = False
    """It is about the key at the end of the path, not about its value."""


def problems(value: Any, part: str | None = None) -> list[Problem]:
    """What the schema, or the definition `part` of it, has against `value`: as many problems as are shown."""
    if _quick(part)(value):
        return []
    found = (problem for error in _validator(part).iter_errors(value) for problem in _explain(error))
    return list(islice(found, MAX_FAULTS_SHOWN))


def label(path: tuple[str | int, ...]) -> str:
    """How a message names the field at `path`: `schedule.cron[1]`; empty for a job or a file as a whole."""
    if path[:1] == ("jobs",):
        path = path[2:]
    elif path[:1] == ("defaults",):
        path = path[1:]
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{cropped(step)}" for step in path)
    return text.removeprefix(".")


def may_be_secret(path: tuple[str | int, ...]) -> bool:
    """Whether the value at `path` is one of `env`, or of a hook, which may have a URL: such are shown nowhere."""
    return label(path).startswith(("env.", "on_success", "on_failure", "on_dead"))


@cache
def _quick(part: str | None) -> Test:
    """Whether there is nothing wrong at all, as mostly there isn't."""
    return suits(_flat(part))


@cache
def _validator(part: str | None) -> Validator:
    from jsonschema import Draft202012Validator, validators  # noqa: PLC0415  100 ms, only to say what is wrong

    types = Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"integer": lambda _, value: is_integer(value), "number": lambda _, value: is_number(value)}
    )
    strict: Any = validators.extend(  # type: ignore[no-untyped-call]
        Draft202012Validator, {"pattern": _pattern}, type_checker=types
    )
    validator: Validator = strict(_flat(part))
    return validator


def _pattern(_: Validator, pattern: str, value: Any, __: Any) -> Iterator[Any]:
    """As JSON Schema has it, but `$` is the end, not also the place before a final newline."""
    from jsonschema import ValidationError  # noqa: PLC0415

    if isinstance(value, str) and not whole(pattern).search(value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


@cache
def _flat(part: str | None) -> Any:
    return _inlined(schema()["$defs"][part] if part else schema())


def _inlined(node: Any) -> Any:
    """The schema with its references replaced by what they stand for and without annotations: several times faster."""
    if not isinstance(node, dict):
        return node
    result: dict[str, Any] = {}
    for key, value in node.items():
        if key in _MAPS_OF_SCHEMAS:
            result[key] = {name: _inlined(inner) for name, inner in value.items()}
        elif key in _SCHEMAS:
            result[key] = _inlined(value)
        elif key in _LISTS_OF_SCHEMAS:
            result[key] = [_inlined(inner) for inner in value]
        elif key not in _ANNOTATIONS and key != "$ref":
            result[key] = value
    if "$ref" in node:
        return _inlined(schema()["$defs"][node["$ref"].removeprefix("#/$defs/")]) | result
    return result


def _explain(error: Any) -> Iterator[Problem]:
    path: tuple[str | int, ...] = tuple(error.absolute_path)
    rule, value, advice = error.validator, error.instance, _advice(error)
    if rule == "additionalProperties":
        for key in _unknown_keys(error):
            yield Problem((*path, key), _unknown(key, error), on_key=True)
    elif rule == "required":
        generic = "properties" in error.schema
        for key in _missing_keys(error):
            message = f"missing field '{key}'" if generic else advice
            yield Problem(path, _labelled(path, message), on_key=True)
    elif rule in {"not", "anyOf"}:
        yield Problem(path, _labelled(path, advice), on_key=True)
    elif "propertyNames" in error.absolute_schema_path:
        name = f"'{cropped(str(value))}'" if value else "an empty name"
        yield Problem((*path, value), _labelled(path, f"{advice}; found {name}"), on_key=True)
    else:
        yield Problem(path, _labelled(path, f"{advice}; found {_found(error, path)}"))


def _advice(error: Any) -> str:
    return str(error.schema.get("errorMessage", error.message))


def _labelled(path: tuple[str | int, ...], message: str) -> str:
    name = label(path)
    return f"{name}: {message}" if name else message


def _unknown_keys(error: Any) -> list[str]:
    known = error.schema["properties"]
    patterns = error.schema.get("patternProperties", {})
    return [k for k in error.instance if k not in known and not any(re.search(p, k) for p in patterns)]


def _missing_keys(error: Any) -> list[str]:
    """The library yields one error for each key that is missing, and says which one only in its message."""
    return [key for key in error.validator_value if error.message.startswith(repr(key))]


def _unknown(key: str, error: Any) -> str:
    known = error.schema["properties"]
    fields = schema()["$defs"]["fields"]["properties"]
    if "jobs" in known and key in fields:
        return f"'{key}' can't stand beside jobs; put it into a job, or into defaults"
    plain = key.replace("-", "_").lower()
    if key not in known and ELSEWHERE.get(plain) in known:
        hint = f", did you mean '{ELSEWHERE[plain]}'?"
    else:
        hint = did_you_mean(key, known)
    return f"unknown field '{cropped(key)}'{hint}"


def _found(error: Any, path: tuple[str | int, ...]) -> str:
    value = error.instance
    types = error.schema.get("type", "string")
    if isinstance(value, str):
        if may_be_secret(path):
            return "a text"
        if not value:
            return "an empty text"
        wants_number = "integer" in types or "number" in types
        hint = "; remove the quotes" if wants_number and re.fullmatch(r"-?[0-9.]+", value) else ""
        return f"'{cropped(value)}'{hint}"
    if value is None:
        return "nothing"
    if isinstance(value, dict | list):
        kind = "mapping" if isinstance(value, dict) else "list"
        return f"a {kind}" if value else f"an empty {kind}"
    shown = "a number or boolean" if may_be_secret(path) else str(value).lower()
    only_text = types == "string" or ("string" in types and "number" not in types and "integer" not in types)
    return f"{cropped(shown)}{'; put it in quotes' if only_text else ''}"
