"""Callbacks that read the values of options; what can't be read is a usage error that names the option."""

from __future__ import annotations

import click

from queuectl.cli.times import now_ms
from queuectl.model.states import JobState
from queuectl.rules.nearest import did_you_mean

STATE_ALIASES = {"running": "processing", "queued": "pending"}
"""Words that people bring from elsewhere."""


def duration(_context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    """Read a duration; milliseconds, more than 0."""
    if value is None:
        return None
    from queuectl.rules.units import parse_duration  # noqa: PLC0415  only where one is given

    try:
        return parse_duration(value)
    except ValueError as error:
        raise bad(parameter, error) from None


def duration_from_zero(_context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    """Read a duration; milliseconds, 0 too."""
    if value is None:
        return None
    from queuectl.rules.units import parse_duration  # noqa: PLC0415  only where one is given

    try:
        return parse_duration(value, allow_zero=True)
    except ValueError as error:
        raise bad(parameter, error) from None


def states(
    _context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[JobState, ...]:
    """Read job states, separated by commas or in several options."""
    return tuple(_state(word, parameter) for value in values for word in value.split(",") if word)


def pairs(_context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Read options that are `NAME=VALUE`, as a mapping."""
    for value in values:
        if not value.partition("=")[1] or value.startswith("="):
            raise bad(parameter, f"expected NAME=VALUE, found '{value}'")
    return {name: value for name, _, value in (setting.partition("=") for setting in values)}


def instant(text: str | None, option: str, zone: str) -> int | None:
    """Read an instant; without an offset it is in `zone`."""
    if text is None:
        return None
    from queuectl.rules.instants import parse_instant  # noqa: PLC0415  only where one is given

    try:
        return parse_instant(text, zone=zone, now_ms=now_ms())
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from None


def since(text: str | None, option: str, zone: str) -> int | None:
    """Read an instant, or a duration that means so long ago."""
    if text is None:
        return None
    from queuectl.rules.instants import parse_when  # noqa: PLC0415  only where one is given

    try:
        return parse_when(text, zone=zone, now_ms=now_ms())
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from None


def bad(parameter: click.Parameter, why: object) -> click.BadParameter:
    """Return the usage error for a parameter's value."""
    return click.BadParameter(str(why), param=parameter)


def _state(word: str, parameter: click.Parameter) -> JobState:
    plain = word.strip().lower()
    try:
        return JobState(STATE_ALIASES.get(plain, plain))
    except ValueError:
        nearest = did_you_mean(plain, list(JobState)) or f"; there are {', '.join(JobState)}"
        raise bad(parameter, f"no such state '{word}'{nearest}") from None
