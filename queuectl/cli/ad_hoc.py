"""Ad-hoc jobs: from the words, the JSON and the options of `enqueue` to requests."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from queuectl.cli.visible import visible
from queuectl.model.errors import UsageError
from queuectl.model.spec import DEFAULT_QUEUE, JobSpec, NoLimit
from queuectl.rules.units import parse_duration
from queuectl.service.enqueue import Request

if TYPE_CHECKING:
    from json import JSONDecodeError

LONGEST_LINE = 1 << 20
"""Bytes of a line or file: more is no job."""
_JSON = r'\s*(?:\{(?:\S|\s*["}])|\[\s*\{)'
"""An object, or an array of them; a group of shell commands is `{ echo hi; }`, a test `[ -e file ]`."""
_SPELLINGS = {"id": "key", "max_retries": "retries"}


class Reader:
    """Reads what somebody asks for; `options` are fields of a spec that the command line gives, and win."""

    def __init__(
        self,
        *,
        zone: str,
        options: Mapping[str, Any],
        key: str | None = None,
        run_at_ms: int | None = None,
        needs: tuple[int, ...] = (),
        delay_ms: int | None = None,
    ) -> None:
        """Take what all requests have in common. UsageError for a timeout that can't be used, or no folder."""
        timeout = options.get("timeout")
        self.key = key
        self._zone = zone
        self._options = options
        self._when = {"run_at_ms": run_at_ms, "delay_ms": delay_ms}
        self._needs = needs
        self._folder = current_folder(options)
        self._same = JobSpec(
            command="",
            cwd=self._folder,
            env=options.get("env", {}),
            queue=options.get("queue", DEFAULT_QUEUE),
            priority=options.get("priority", 0),
            retries=options.get("retries"),
            timeout_ms=None if timeout is None else _timeout(timeout),
        )

    def from_text(self, text: str, place: str | None = None) -> Request:
        """Read a JSON object, or else a command for the shell."""
        return self.from_json(text, place) if looks_like_json(text) else self.from_command(text, place)

    def from_json(self, text: str, place: str | None = None) -> Request:
        """Read a JSON object. UsageError says where it breaks."""
        value = parse_json(text)
        if not isinstance(value, dict):
            raise UsageError(f'expected a JSON object such as {{"command": "date"}}, found {_kind(value)}')
        return self.from_object(value, place)

    def from_object(self, value: dict[str, Any], place: str | None = None) -> Request:
        """Read the fields of an object; `id` and `key` are the key, `max_retries` the retries."""
        from queuectl.specs.enqueue import spec_from_mapping  # noqa: PLC0415  imports the rules of spec files

        spec, key = spec_from_mapping(value, cwd=self._folder, default_zone=self._zone)
        if self._options:  # once more: what is wrong in the object is wrong whatever the options say
            fields = self._with_options(value)
            spec, _ = spec_from_mapping(fields, cwd=self._folder, default_zone=self._zone)
        return self._request(spec, self.key or key, place)

    def from_command(self, command: str | Sequence[str], place: str | None = None) -> Request:
        """Take a command as it is: text for the shell, or a list of arguments that needs none."""
        spec = replace(self._same, command=command if isinstance(command, str) else tuple(command))
        return self._request(spec, self.key, place)

    def _request(self, spec: JobSpec, key: str | None, place: str | None) -> Request:
        return Request(spec=spec, key=key, needs=self._needs, place=place, **self._when)

    def _with_options(self, value: dict[str, Any]) -> dict[str, Any]:
        fields = {name: inner for name, inner in value.items() if _field(name) not in self._options}
        env = value.get("env") if "env" in self._options else None
        if isinstance(env, dict):
            return {**fields, **self._options, "env": {**env, **self._options["env"]}}
        return {**fields, **self._options}


def looks_like_json(text: str) -> bool:
    """Tell whether a text is meant to be JSON."""
    return bool(re.match(_JSON, text))


def parse_json(text: str) -> Any:
    """Read JSON as it is defined: no duplicate keys, no NaN. UsageError points at where it breaks."""
    from json import JSONDecodeError  # noqa: PLC0415  most commands are no JSON

    from queuectl.specs.json_text import read_json  # noqa: PLC0415  as above

    try:
        return read_json(text)
    except JSONDecodeError as error:
        raise UsageError(_broken(text, error)) from None


def current_folder(options: Mapping[str, Any]) -> str:
    """Return `--cwd`, else the folder that we are in. UsageError when that is gone."""
    try:
        return os.path.abspath(options.get("cwd") or ".")  # noqa: PTH100  resolve() would follow links
    except OSError:
        raise UsageError("the current folder is not there any more; name one with --cwd") from None


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


def _broken(text: str, error: JSONDecodeError) -> str:
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
