"""Ad-hoc jobs: from the words, the JSON and the options of `enqueue` to specs."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, NoReturn

from queuectl.cli.visible import visible
from queuectl.model.errors import UsageError
from queuectl.model.spec import DEFAULT_QUEUE, JobSpec, NoLimit
from queuectl.rules.units import parse_duration

LONGEST_LINE = 1 << 20
"""Bytes of a line or file: more is no job."""
_JSON = re.compile(r'\s*(?:\{(?:\S|\s*["}])|\[\s*\{)')
"""An object, or an array of them; a group of shell commands is `{ echo hi; }`, a test `[ -e file ]`."""
_SPELLINGS = {"id": "key", "max_retries": "retries"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A job that somebody asks for."""

    spec: JobSpec
    key: str | None
    place: str | None = None
    """Where, for errors: `line 3`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Reads jobs; `options` are fields of a spec that the command line gives, and win."""

    zone: str
    options: Mapping[str, Any] = field(default_factory=dict)
    key: str | None = None

    def from_text(self, text: str) -> Asked:
        """Read a JSON object, or else a command for the shell."""
        return self.from_json(text) if looks_like_json(text) else self.from_command(text)

    def from_json(self, text: str) -> Asked:
        """Read a JSON object. UsageError says where it breaks."""
        value = parse_json(text)
        if not isinstance(value, dict):
            raise UsageError(f'expected a JSON object such as {{"command": "date"}}, found {_kind(value)}')
        return self.from_object(value)

    def from_object(self, value: Mapping[str, Any]) -> Asked:
        """Read the fields of an object; `id` and `key` are the key, `max_retries` the retries."""
        from queuectl.specs.enqueue import spec_from_mapping  # noqa: PLC0415  imports jsonschema

        fields = {name: inner for name, inner in value.items() if _field(name) not in self.options}
        env = value.get("env") if "env" in self.options else None
        if isinstance(env, dict):
            fields |= {**self.options, "env": {**env, **self.options["env"]}}
        else:
            fields |= self.options
        spec, key = spec_from_mapping(fields, cwd=current_folder(self.options), default_zone=self.zone)
        return Asked(spec=spec, key=self.key or key)

    def from_command(self, command: str | Sequence[str]) -> Asked:
        """Take a command as it is: text for the shell, or a list of arguments that needs none."""
        options = self.options
        timeout = options.get("timeout")
        spec = JobSpec(
            command=command if isinstance(command, str) else tuple(command),
            cwd=current_folder(options),
            env=options.get("env", {}),
            queue=options.get("queue", DEFAULT_QUEUE),
            priority=options.get("priority", 0),
            retries=options.get("retries"),
            timeout_ms=None if timeout is None else _timeout(timeout),
        )
        return Asked(spec=spec, key=self.key)


def looks_like_json(text: str) -> bool:
    """Tell whether a text is meant to be JSON."""
    return bool(_JSON.match(text))


def parse_json(text: str) -> Any:
    """Read JSON as it is defined: no duplicate keys, no NaN. UsageError points at where it breaks."""
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise UsageError(_broken(text, error)) from None
    except RecursionError:
        raise UsageError("the JSON is nested too deep") from None
    except ValueError:  # more digits than Python reads
        raise UsageError("the JSON holds a number with thousands of digits") from None


def batches(stream: BinaryIO) -> Iterator[list[tuple[int, str]]]:
    """Yield (line number, text) of lines that aren't empty, as many at a time as have come in."""
    rest, number = b"", 0
    while chunk := stream.read1(1 << 20):  # type: ignore[attr-defined]
        *complete, rest = (rest + chunk).split(b"\n")
        if len(rest) > LONGEST_LINE:
            raise UsageError(f"line {number + len(complete) + 1} is longer than 1 MiB")
        yield list(_lines(complete, number + 1))
        number += len(complete)
    yield list(_lines([rest], number + 1))


def current_folder(options: Mapping[str, Any]) -> str:
    """Return `--cwd`, else the folder that we are in. UsageError when that is gone."""
    try:
        return os.path.abspath(options.get("cwd") or ".")  # noqa: PTH100  resolve() would follow links
    except OSError:
        raise UsageError("the current folder is not there any more; name one with --cwd") from None


def _lines(lines: Iterable[bytes], first: int) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(lines, first):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError:
            raise UsageError(f"line {number} is not UTF-8") from None
        if text:
            yield number, text


def _timeout(text: str) -> int | NoLimit:
    if text == "none":
        return "none"
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(f"--timeout: {error}") from None


def _field(name: str) -> str:
    plain = name.replace("-", "_")
    return _SPELLINGS.get(plain, plain)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise UsageError(f"the JSON gives '{visible(twice)}' twice")
    return value


def _no_constant(word: str) -> NoReturn:
    raise UsageError(f"the JSON holds {word}, which is no number; expected a finite one")


def _broken(text: str, error: json.JSONDecodeError) -> str:
    lines = text.splitlines() or [""]
    line = lines[min(error.lineno, len(lines)) - 1]
    at = min(error.colno, len(line) + 1)
    start = max(0, at - 61)
    before, after = visible(line[start : at - 1]), visible(line[at - 1 : start + 78])
    what = f"the JSON breaks at line {error.lineno}, column {error.colno}: {error.msg[:1].lower()}{error.msg[1:]}"
    return f"{what}\n  {before}{after}\n  {' ' * len(before)}^"


def _kind(value: object) -> str:
    return {list: "an array", str: "a text", type(None): "null", bool: "a boolean"}.get(
        type(value), "a number"
    )
