"""Parameters of a spec: what a caller may set, checked by JSON Schema, given to the command as variables."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from queuectl.model.spec import JobSpec
from queuectl.rules.nearest import did_you_mean

KEYWORDS = frozenset(
    {
        "title", "description", "examples", "type", "default", "enum", "pattern", "minLength", "maxLength",
        "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "format",
    }
)  # fmt: skip
"""Of JSON Schema, which are of use for a single value; none leads elsewhere."""
TYPES = ("string", "integer", "number", "boolean")
_READ_AS_JSON = frozenset({"integer", "number", "boolean"})


def with_arguments(spec: JobSpec, given: Mapping[str, Any]) -> JobSpec:
    """Return the spec with a value for each of its parameters: the given one, else its default.

    Texts are read as the parameter's type says. ValueError names every one that is unknown, missing or wrong.
    """
    wrong = [*_unknown(spec, given), *_missing(spec, given)]
    values = {name: given.get(name, schema.get("default")) for name, schema in spec.params.items()}
    read = {name: _read(value, spec.params[name]) for name, value in values.items() if value is not None}
    wrong += [line for name, value in read.items() for line in _problems(name, value, spec.params[name])]
    if wrong:
        raise ValueError("; ".join(wrong))
    return replace(spec, arguments={name: _text(value, spec.params[name]) for name, value in read.items()})


def with_arguments_of(spec: JobSpec, job: JobSpec) -> JobSpec:
    """Return the spec with the values that a job had, as far as it still has these parameters. ValueError as above."""
    if not spec.params:
        return spec
    return with_arguments(spec, {name: value for name, value in job.arguments.items() if name in spec.params})


def has_to_be_set(spec: JobSpec) -> bool:
    """Whether the spec can only run when somebody sets its parameters."""
    return any("default" not in schema for schema in spec.params.values())


def check_params(
    params: Mapping[str, Mapping[str, Any]], *, env: Collection[str], fires: bool
) -> Iterator[str]:
    """Say what is wrong with the parameters that a spec declares. `fires`: a schedule starts it, which sets none."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415  100 ms that few specs need
    from jsonschema.exceptions import SchemaError  # noqa: PLC0415

    for name, schema in params.items():
        if unread := sorted(schema.keys() - KEYWORDS):
            yield f"{name}: expected keywords of JSON Schema such as type, default and enum; found {unread[0]}"
            continue
        if schema.get("type", "string") not in TYPES:
            yield f"{name}: type: expected {', '.join(TYPES)}; found {schema['type']}"
            continue
        try:
            Draft202012Validator.check_schema(schema)
        except SchemaError as error:
            yield f"{name}: {error.message}"
            continue
        if "default" in schema:
            yield from (f"{line} (its default)" for line in _problems(name, schema["default"], schema))
        elif fires:
            yield f"{name}: expected a default, as nobody sets it when the schedule fires"
        if name in env:
            yield f"{name}: is in env, too; expected it in one of the two"


def _unknown(spec: JobSpec, given: Mapping[str, Any]) -> Iterator[str]:
    for name in given:
        if name not in spec.params:
            known = f"; there are {', '.join(spec.params)}" if spec.params else "; it has none"
            yield f"no parameter '{name}'{did_you_mean(name, spec.params) or known}"


def _missing(spec: JobSpec, given: Mapping[str, Any]) -> Iterator[str]:
    for name, schema in spec.params.items():
        if name not in given and "default" not in schema:
            yield f"{name} has to be set: {schema.get('description', 'it has no default')}"


def _read(value: Any, schema: Mapping[str, Any]) -> Any:
    if not isinstance(value, str) or schema.get("type", "string") not in _READ_AS_JSON:
        return value
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError:
        return value


def _problems(name: str, value: Any, schema: Mapping[str, Any]) -> Iterator[str]:
    from jsonschema import Draft202012Validator  # noqa: PLC0415  as above

    validator = Draft202012Validator(
        {"type": "string", **schema}, format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    yield from (f"{name}: {error.message}" for error in validator.iter_errors(value))
    if isinstance(value, str) and "\0" in value:
        yield f"{name}: a NUL character can't be passed to a program"


def _text(value: Any, schema: Mapping[str, Any]) -> str:
    if isinstance(value, float) and schema.get("type") == "integer":
        value = int(value)  # JSON Schema takes 1.0 for an integer; a command wouldn't
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
