"""A checked mapping of fields to a JobSpec: units read, what the schema can't say checked."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from queuectl.model.env import EnvRef
from queuectl.model.flow import Need
from queuectl.model.hook import Hook, Hooks
from queuectl.model.spec import (
    BASH,
    DEFAULT_SHELL,
    MAX_COMMAND_BYTES,
    Backoff,
    Concurrency,
    ExitCodes,
    JobSpec,
    Keep,
    Limits,
    Schedule,
)
from queuectl.model.states import CatchUp, OnConflict, Overlap
from queuectl.rules.gate import slot_key
from queuectl.rules.hooks import check_hook, parse_hook
from queuectl.rules.instants import parse_instant
from queuectl.rules.params import check_params
from queuectl.rules.rates import parse_rate
from queuectl.rules.units import parse_duration, parse_size
from queuectl.rules.zones import zone_named
from queuectl.specs.check import Problem, label
from queuectl.specs.places import PlacedDict

MAX_EXIT_CODE = 255
SHELLS = {"bash": BASH, "sh": DEFAULT_SHELL}


def build(
    fields: Mapping[str, Any], *, name: str | None, cwd: str, zone: str
) -> tuple[JobSpec | None, list[Problem]]:
    """The spec that `fields` say; None when something is wrong with them, or they are defaults without a command.

    `fields` have passed the schema and their paths are absolute. `cwd` is the working directory, and `zone` the
    time zone of `run_at`, where the fields name none.
    """
    problems: list[Problem] = []
    here = _Here((), problems, fields.get("timezone", zone))
    values: dict[str, Any] = {"cwd": cwd}
    for field, value in fields.items():
        if not field.startswith("x-") and field != "name":
            attribute, reader = _READERS[field]
            values[attribute] = here.read(field, reader, value)
    if problems or "command" not in values:
        return None, problems
    hooks = Hooks(**{event: values.pop(event) for event in ("success", "failure", "dead") if event in values})
    spec = JobSpec(name=name, hooks=hooks, **values)
    if spec.params:
        wrong = check_params(spec.params, env=spec.env.keys(), fires=bool(spec.schedule or spec.needs))
        problems = [Problem(("params",), f"params: {line}") for line in wrong]
    if problems:
        return None, problems
    try:
        slot_key(spec)
    except ValueError as error:
        return None, [Problem(("concurrency", "key"), f"concurrency.key: {error}")]
    return spec, []


def as_text(mapping: Mapping[str, Any], key: str) -> str:
    """A value as it was written in a spec file (`1.10`), or as JSON has it."""
    value = mapping[key]
    if isinstance(value, str):
        return value
    written = mapping.values_at[key].text if isinstance(mapping, PlacedDict) else None
    return json.dumps(value) if written is None else written


class _Here(NamedTuple):
    """Where reading has got to."""

    path: tuple[str | int, ...]
    problems: list[Problem]
    zone: str

    def read(self, step: str | int, reader: Callable[[Any, _Here], Any], value: Any) -> Any:
        """The value as `reader` reads it; None, with the problem noted, where it raises ValueError."""
        here = self._replace(path=(*self.path, step))
        try:
            return reader(value, here)
        except ValueError as error:
            self.problems.append(Problem(here.path, f"{label(here.path)}: {error}"))
            return None


_Reader = Callable[[Any, _Here], Any]


def _as_is(value: Any, _: _Here) -> Any:
    return value


def _labels(value: Mapping[str, Any], _: _Here) -> dict[str, str]:
    return {key: as_text(value, key) for key in value}


def _command(value: str | list[str], here: _Here) -> str | tuple[str, ...]:
    if isinstance(value, str):
        return _argument(value, here)
    if not value[0]:
        raise ValueError("expected a program at the head of the list; found an empty text")
    return tuple(here.read(index, _argument, argument) for index, argument in enumerate(value))


def _argument(value: str, _: _Here) -> str:
    size = len(value.encode())
    if size > MAX_COMMAND_BYTES:
        raise ValueError(
            f"expected at most {MAX_COMMAND_BYTES:,} bytes, as the system allows; found {size:,}"
        )
    return value


def _shell(value: str | list[str], _: _Here) -> tuple[str, ...]:
    return SHELLS[value] if isinstance(value, str) else tuple(value)


def _env(value: Mapping[str, Any], here: _Here) -> dict[str, str | EnvRef]:
    return {key: here.read(key, _variable(value, key), inner) for key, inner in value.items()}


def _variable(mapping: Mapping[str, Any], key: str) -> _Reader:
    def read(value: Any, here: _Here) -> str | EnvRef:
        if isinstance(value, Mapping):
            return EnvRef(**value)
        text = as_text(mapping, key)
        _argument(f"{key}={text}", here)
        return text

    return read


def _env_file(value: str | list[str], _: _Here) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _duration(value: str | float, _: _Here) -> int:
    return parse_duration(value)


def _duration_or_zero(value: str | float, _: _Here) -> int:
    return parse_duration(value, allow_zero=True)


def _timeout(value: str | float, here: _Here) -> int | str:
    return "none" if value == "none" else _duration(value, here)


def _size(value: str | int, _: _Here) -> int:
    return parse_size(value)


def _zone(value: str, _: _Here) -> str:
    zone_named(value)
    return value


def _instant(value: str, here: _Here) -> int | None:
    try:
        zone_named(here.zone)
    except ValueError:
        return None  # said where the zone is named
    return parse_instant(value, zone=here.zone)


def _schedule(value: str | Mapping[str, Any], here: _Here) -> Schedule:
    from queuectl.rules.schedule import check_schedule  # noqa: PLC0415  most specs of `enqueue` have none

    before = len(here.problems)
    if isinstance(value, str):
        schedule = Schedule(cron=(_cron(value, here),))
    else:
        read = {_SCHEDULE[key][0]: here.read(key, _SCHEDULE[key][1], inner) for key, inner in value.items()}
        schedule = Schedule(**read)
    if len(here.problems) == before:
        check_schedule(schedule)
    return schedule


def _crons(value: str | list[str], here: _Here) -> tuple[str, ...]:
    if isinstance(value, str):
        return (_cron(value, here),)
    return tuple(here.read(index, _cron, expression) for index, expression in enumerate(value))


def _cron(value: str, _: _Here) -> str:
    from queuectl.rules.cron import parse_cron  # noqa: PLC0415

    parse_cron(value)
    return value


def _catch_up(value: str, _: _Here) -> CatchUp:
    return CatchUp(value)


def _overlap(value: str, _: _Here) -> Overlap:
    return Overlap(value)


def _backoff(value: Mapping[str, Any], here: _Here) -> Backoff:
    return Backoff(
        **{_BACKOFF[key][0]: here.read(key, _BACKOFF[key][1], inner) for key, inner in value.items()}
    )


def _exit_codes(value: Mapping[str, Any], here: _Here) -> ExitCodes:
    rules: Any = tuple(
        (key, here.read(key, _codes, codes)) for key, codes in value.items() if key != "snooze_for"
    )
    if "snooze_for" not in value:
        return ExitCodes(rules=rules)
    return ExitCodes(rules=rules, snooze_for_ms=here.read("snooze_for", _duration, value["snooze_for"]))


def _codes(value: list[int | str], here: _Here) -> tuple[tuple[int, int], ...]:
    return tuple(here.read(index, _code_range, code) for index, code in enumerate(value))


def _code_range(value: int | str, _: _Here) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    low, high = map(int, value.split("-"))
    if not low <= high <= MAX_EXIT_CODE:
        raise ValueError(f"expected a range from low to high within 0-{MAX_EXIT_CODE}; found {value}")
    return low, high


def _keep(value: Mapping[str, Any], here: _Here) -> dict[str, Keep]:
    return {key: here.read(key, _age_or_count, inner) for key, inner in value.items()}


def _age_or_count(value: str | int, here: _Here) -> Keep:
    return Keep(count=value) if isinstance(value, int) else Keep(for_ms=_duration(value, here))


def _needs(value: list[Any], _: _Here) -> tuple[Need, ...]:
    needs = tuple(Need(job=one) if isinstance(one, str) else Need(**one) for one in value)
    twice = next((name for name, count in Counter(need.job for need in needs).items() if count > 1), None)
    if twice is not None:
        raise ValueError(f"'{twice}' stands there twice")
    return needs


def _concurrency(value: Mapping[str, Any], _: _Here) -> Concurrency:
    return Concurrency(**{**value, "on_conflict": OnConflict(value.get("on_conflict", "wait"))})


def _params(value: Mapping[str, Any], _: _Here) -> dict[str, Any]:
    params: dict[str, Any] = json.loads(json.dumps(value))
    return params


def _hooks(value: Any, here: _Here) -> tuple[Hook, ...]:
    if isinstance(value, list):
        return tuple(here.read(index, _one_hook, one) for index, one in enumerate(value))
    return (_one_hook(value, here),)


def _one_hook(value: Any, _: _Here) -> Hook:
    if isinstance(value, str):
        hook = parse_hook(value)
        check_hook(hook)
        return hook
    fields: dict[str, Any] = {
        name: EnvRef(**one) if isinstance(one, Mapping) else one for name, one in value.items()
    }
    if len(fields.keys() - {"secret"}) != 1:
        raise ValueError("expected one of command, notify and webhook")
    if isinstance(fields.get("command"), list):
        fields["command"] = tuple(fields["command"])
    hook = Hook(**fields)
    check_hook(hook)
    return hook


def _rate(value: str, _: _Here) -> int:
    return parse_rate(value)


_LIMITS: dict[str, tuple[str, _Reader]] = {
    "memory": ("memory_bytes", _size),
    "cpu_time": ("cpu_time_ms", _duration),
    "open_files": ("open_files", _as_is),
    "nice": ("nice", _as_is),
}


def _limits(value: Mapping[str, Any], here: _Here) -> Limits:
    return Limits(**{_LIMITS[key][0]: here.read(key, _LIMITS[key][1], inner) for key, inner in value.items()})


_READERS: dict[str, tuple[str, _Reader]] = {
    "description": ("description", _as_is),
    "owner": ("owner", _as_is),
    "labels": ("labels", _labels),
    "command": ("command", _command),
    "shell": ("shell", _shell),
    "cwd": ("cwd", _as_is),
    "env": ("env", _env),
    "env_file": ("env_file", _env_file),
    "schedule": ("schedule", _schedule),
    "run_at": ("run_at_ms", _instant),
    "timezone": ("timezone", _zone),
    "queue": ("queue", _as_is),
    "priority": ("priority", _as_is),
    "retries": ("retries", _as_is),
    "backoff": ("backoff", _backoff),
    "timeout": ("timeout_ms", _timeout),
    "kill_after": ("kill_after_ms", _duration_or_zero),
    "exit_codes": ("exit_codes", _exit_codes),
    "max_log": ("max_log_bytes", _size),
    "needs": ("needs", _needs),
    "concurrency": ("concurrency", _concurrency),
    "rate": ("rate_us", _rate),
    "limits": ("limits", _limits),
    "user": ("user", _as_is),
    "params": ("params", _params),
    "on_success": ("success", _hooks),
    "on_failure": ("failure", _hooks),
    "on_dead": ("dead", _hooks),
    "keep": ("keep", _keep),
    "paused": ("paused", _as_is),
}
"""For each field of the schema the attribute of JobSpec, and what makes one of the other."""

_SCHEDULE: dict[str, tuple[str, _Reader]] = {
    "cron": ("cron", _crons),
    "every": ("every_ms", _duration),
    "timezone": ("timezone", _zone),
    "jitter": ("jitter_ms", _duration_or_zero),
    "catch_up": ("catch_up", _catch_up),
    "spacing": ("spacing_ms", _duration_or_zero),
    "overlap": ("overlap", _overlap),
    "start_within": ("start_within_ms", _duration),
}

_BACKOFF: dict[str, tuple[str, _Reader]] = {
    "base": ("base_ms", _duration),
    "factor": ("factor", _as_is),
    "max": ("max_ms", _duration),
    "jitter": ("jitter", _as_is),
}
