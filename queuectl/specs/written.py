"""Written: a JobSpec as it would stand in a spec file, for people."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import msgspec
import yaml

from queuectl.model.env import EnvRef
from queuectl.model.hook import Hook, Hooks
from queuectl.model.spec import (
    BASH,
    DEFAULT_SHELL,
    MASK,
    Backoff,
    Concurrency,
    ExitCodes,
    JobSpec,
    Keep,
    Limits,
    Schedule,
)
from queuectl.rules.instants import format_instant
from queuectl.rules.rates import format_rate
from queuectl.rules.units import format_duration, format_size, parse_size

Fields = dict[str, Any]


def as_yaml(spec: JobSpec) -> str:
    """Return a spec as YAML, in the order of the documentation: what is set, units as people write them.

    Plain values of its environment are masked, and so is whatever a hook may have for a secret.
    """
    return yaml.dump(
        as_fields(spec),
        Dumper=_dumper(),
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        width=100,
    )


def as_fields(spec: JobSpec, *, mask: bool = True) -> Fields:
    """Return the fields of a spec file that say what a spec says. Without `mask` values are as they are."""
    fields = {
        "name": spec.name,
        "description": spec.description,
        "owner": spec.owner,
        "labels": dict(spec.labels),
        "command": _plain(spec.command),
        "shell": {DEFAULT_SHELL: None, BASH: "bash"}.get(spec.shell, list(spec.shell)),
        "cwd": spec.cwd,
        "env": {
            name: MASK if mask and isinstance(one, str) else _value(one) for name, one in spec.env.items()
        },
        "env_file": _one_or_all(spec.env_file),
        "schedule": _schedule(spec.schedule),
        "run_at": None if spec.run_at_ms is None else format_instant(spec.run_at_ms),
        "timezone": spec.timezone,
        "queue": _unless(spec.queue, JobSpec, "queue"),
        "priority": spec.priority or None,
        "retries": spec.retries,
        "backoff": _backoff(spec.backoff),
        "timeout": spec.timeout_ms if isinstance(spec.timeout_ms, str) else _duration(spec.timeout_ms),
        "kill_after": _duration(spec.kill_after_ms),
        "exit_codes": _exit_codes(spec.exit_codes),
        "needs": [
            need.job if need.on == "completed" else {"job": need.job, "on": need.on} for need in spec.needs
        ],
        "limits": _limits(spec.limits),
        "user": spec.user,
        **{f"on_{event}": _hooks(getattr(spec.hooks, event), mask) for event in Hooks.__struct_fields__},
        "params": {name: dict(schema) for name, schema in spec.params.items()},
        "concurrency": _concurrency(spec.concurrency),
        "rate": None if spec.rate_us is None else format_rate(spec.rate_us),
        "max_log": _size(spec.max_log_bytes),
        "keep": {state: _keep(keep) for state, keep in spec.keep.items()},
        "paused": spec.paused or None,
    }
    return _set(fields)


def _set(fields: Fields) -> Fields:
    return {name: value for name, value in fields.items() if value is not None and value not in ({}, [])}


def _schedule(schedule: Schedule | None) -> str | Fields | None:
    if schedule is None:
        return None
    if schedule == Schedule(cron=schedule.cron) and len(schedule.cron) == 1:
        return schedule.cron[0]
    return _set(
        {
            "cron": _one_or_all(schedule.cron),
            "every": _duration(schedule.every_ms),
            "timezone": schedule.timezone,
            "jitter": _duration(schedule.jitter_ms or None),
            "catch_up": _unless(schedule.catch_up, Schedule, "catch_up"),
            "spacing": _duration(schedule.spacing_ms or None),
            "overlap": _unless(schedule.overlap, Schedule, "overlap"),
            "start_within": _duration(schedule.start_within_ms),
        }
    )


def _backoff(backoff: Backoff) -> Fields:
    return _set(
        {
            "base": _duration(backoff.base_ms),
            "factor": backoff.factor,
            "max": _duration(backoff.max_ms),
            "jitter": backoff.jitter,
        }
    )


def _exit_codes(codes: ExitCodes) -> Fields:
    fields: Fields = {
        meaning: [low if low == high else f"{low}-{high}" for low, high in ranges]
        for meaning, ranges in codes.rules
    }
    if codes.snooze_for_ms != ExitCodes().snooze_for_ms:
        fields["snooze_for"] = _duration(codes.snooze_for_ms)
    return fields


def _limits(limits: Limits) -> Fields:
    return _set(
        {
            "memory": _size(limits.memory_bytes),
            "cpu_time": _duration(limits.cpu_time_ms),
            "open_files": limits.open_files,
            "nice": limits.nice,
        }
    )


def _concurrency(concurrency: Concurrency | None) -> Fields | None:
    return None if concurrency is None else msgspec.to_builtins(concurrency)  # which leaves defaults out


def _keep(keep: Keep) -> str | int | None:
    return keep.count if keep.count is not None else _duration(keep.for_ms)


def _hooks(hooks: Sequence[Hook], mask: bool) -> object:
    return _one_or_all([_hook(hook, mask) for hook in hooks])


def _hook(hook: Hook, mask: bool) -> str | Fields:
    if isinstance(hook.command, str):
        return hook.command
    fields: Fields = {"command": _plain(hook.command)}
    for name in ("notify", "webhook", "secret"):
        value = getattr(hook, name)
        fields[name] = _masked(name, value) if mask and isinstance(value, str) else _value(value)
    return _set(fields)


def _masked(name: str, value: str) -> str:
    """Of a URL, as much as says where it leads: what else stands in it may be a password."""
    if name == "webhook":
        where, query, _ = value.partition("?")
        return where + (f"?{MASK}" if query else "")
    return MASK if name == "secret" else f"{value.partition('://')[0]}://{MASK}"


def _value(value: str | EnvRef | None) -> object:
    return msgspec.to_builtins(value) if isinstance(value, EnvRef) else value


def _plain(command: str | tuple[str, ...] | None) -> str | list[str] | None:
    return list(command) if isinstance(command, tuple) else command


def _one_or_all(values: Sequence[Any]) -> Any:
    return values[0] if len(values) == 1 else list(values)


def _unless(value: str, kind: type[msgspec.Struct], field: str) -> str | None:
    """A value, or None where leaving it out says the same."""
    default = next(one.default for one in msgspec.structs.fields(kind) if one.name == field)
    return None if value == default else str(value)


def _duration(ms: int | None) -> str | None:
    return None if ms is None else format_duration(ms)


def _size(size: int | None) -> str | int | None:
    """Exact, whatever it takes."""
    if size is None:
        return None
    text = format_size(size)
    return text if parse_size(text) == size else size


@cache
def _dumper() -> type[Any]:
    """The one in C where there is one; texts of several lines stand as such."""

    class Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
        def ignore_aliases(self, _: object) -> bool:
            return True

    def text(dumper: Any, value: str) -> Any:
        style = "|" if "\n" in value.strip("\n") else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    return Dumper
