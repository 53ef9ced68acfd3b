"""What an apply changes, as people read it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import click

from queuectl.cli.times import in_zone, now_ms
from queuectl.cli.visible import visible
from queuectl.rules.plan import Plan, PlannedSpec

NAMED_AT_MOST = 5
DETAILED_AT_MOST = 100
"""Of more specs than this only the names are shown."""


def print_plan(plan: Plan) -> None:
    """Print what is created, updated, pruned and orphaned."""
    now = now_ms()
    brief = len(plan.created) + len(plan.updated) > DETAILED_AT_MOST
    for planned in plan.created:
        _entry("+", "green", f"{planned.name}  {planned.file}", () if brief else _when(planned, now))
    for planned in plan.updated:
        details = [f"{one.field}: {_value(one.old)} → {_value(one.new)}" for one in planned.changes]
        _entry("~", "yellow", planned.name, () if brief else [*details, *_when(planned, now)])
    for name in plan.pruned:
        _entry("-", "red", name, ["waiting jobs are cancelled, a running one finishes"])
    for name in plan.orphaned:
        _entry("?", "bright_black", f"{name}  not in the files any more; it runs on, --prune removes it")
    if plan.unchanged:
        click.echo(f"= {plan.unchanged:,} unchanged")


def say_applied(plan: Plan) -> None:
    """Say on stderr what an apply did and warns of, in few lines."""
    print_remarks(plan)
    click.echo(f"applied {visible(plan.source)}: {summary(plan)}", err=True)


def print_remarks(plan: Plan) -> None:
    """Print on stderr what isn't part of the plan: warnings, and files that were passed over."""
    say_warnings(plan.warnings)
    if plan.ignored:
        more = f" and {len(plan.ignored) - NAMED_AT_MOST} more" if len(plan.ignored) > NAMED_AT_MOST else ""
        names = ", ".join(plan.ignored[:NAMED_AT_MOST])
        click.echo(f"not spec files, passed over: {visible(names)}{more}", err=True)


def say_warnings(lines: Iterable[str]) -> None:
    """Print warnings on stderr."""
    for line in lines:
        click.echo(f"{click.style('warning', fg='yellow')}: {visible(line)}", err=True)


def summary(plan: Plan) -> str:
    """Count what an apply does: `3 created, 1 updated, 2 unchanged`."""
    counts = {
        "created": len(plan.created),
        "updated": len(plan.updated),
        "pruned": len(plan.pruned),
        "orphaned": len(plan.orphaned),
        "unchanged": plan.unchanged,
    }
    return ", ".join(f"{count:,} {word}" for word, count in counts.items() if count) or "nothing to do"


def _entry(sign: str, colour: str, text: str, details: Iterable[str] = ()) -> None:
    click.echo(click.style(f"{sign} {visible(text)}", fg=colour))
    for line in details:
        click.echo(f"    {visible(line)}")


def _when(planned: PlannedSpec, now: int) -> Iterator[str]:
    if planned.words:
        yield planned.words
    if planned.next_fire_at is not None:
        yield f"next: {in_zone(planned.next_fire_at, planned.zone, now)}"
    if planned.job_action:
        yield planned.job_action


def _value(text: str | None) -> str:
    return "(not set)" if text is None else text
