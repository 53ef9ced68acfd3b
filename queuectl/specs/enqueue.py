"""A JSON object given to `enqueue` as a spec: the same schema as spec files, with the spellings people bring."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from queuectl.model.errors import UsageError
from queuectl.model.spec import JobSpec
from queuectl.specs.build import build
from queuectl.specs.check import Problem, problems
from queuectl.specs.paths import make_absolute

SPELLINGS = {"id": "key", "max_retries": "retries"}
"""What a field may also be called here."""

ONLY_IN_FILES = {
    "name": "an ad-hoc job has no name; give it a key",
    "needs": "needs names specs; an ad-hoc job needs other jobs by --needs",
    "rate": "an ad-hoc job has no rate; limit its queue: queue limit NAME --rate 10/m",
    "schedule": "a schedule belongs into a spec file; see apply",
    "paused": "a job can't be paused; see spec pause and queue pause",
}

_UNUSABLE = re.compile("[\0\ud800-\udfff]")
_FREE_KEYS = frozenset({"env", "labels"})


def spec_from_mapping(value: Mapping[str, Any], *, cwd: str, default_zone: str) -> tuple[JobSpec, str | None]:
    """The spec and the key that a JSON object asks for.

    `cwd` is the working directory where it names none, and what its paths are relative to; `default_zone` the
    time zone of `run_at`. UsageError says in one line everything that is wrong.
    """
    try:
        fields = _respelled(value)
        key = fields.pop("key", None)
        found = [*_wrong_key(key), *_misplaced(fields), *problems(fields, "job"), *_wrong_texts(fields, ())]
    except RecursionError:
        raise UsageError("the JSON is nested too deep") from None
    if not found:
        found = make_absolute(fields, cwd)
    if not found:
        spec, found = build(fields, name=None, cwd=cwd, zone=default_zone)
        if spec is not None:
            return spec, key
    raise UsageError("; ".join(dict.fromkeys(problem.message for problem in found)))


def _respelled(value: Mapping[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, inner in value.items():
        field = name.replace("-", "_")
        field = SPELLINGS.get(field, field)
        if field in fields:
            raise UsageError(f"{field} is given twice")
        if isinstance(inner, dict | list):
            inner = deepcopy(inner)  # noqa: PLW2901  what is given stays as it is
            if isinstance(inner, dict) and field not in _FREE_KEYS:
                inner = {key.replace("-", "_"): one for key, one in inner.items()}  # noqa: PLW2901
        fields[field] = inner
    return fields


def _wrong_key(key: Any) -> Iterator[Problem]:
    if key is not None and (not isinstance(key, str) or not key):
        yield Problem(("key",), f"key: expected a text that isn't empty, found {json.dumps(key)[:40]}")
    yield from _wrong_texts(key, ("key",))


def _wrong_texts(value: Any, path: tuple[str | int, ...]) -> Iterator[Problem]:
    """JSON can escape what no database or command line can hold."""
    if isinstance(value, str):
        if _UNUSABLE.search(value):
            yield Problem(path, f"{path[0]}: a NUL or half of a surrogate pair can't be part of a value")
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _wrong_texts(key, path or ("fields",))
            yield from _wrong_texts(inner, (*path, key))
    elif isinstance(value, list):
        for inner in value:
            yield from _wrong_texts(inner, path)


def _misplaced(fields: dict[str, Any]) -> Iterator[Problem]:
    for field, advice in ONLY_IN_FILES.items():
        if field in fields:
            del fields[field]
            yield Problem((field,), advice)
