"""`queuectl spec show`."""

from __future__ import annotations

from collections.abc import Iterator

import click

from queuectl.cli.completion import spec_names
from queuectl.cli.json_output import Output, print_object
from queuectl.cli.lazy import Command
from queuectl.cli.options import database_option, open_queue, output_option
from queuectl.cli.shown import command_text, env_text, print_jobs
from queuectl.cli.tables import print_fields
from queuectl.cli.times import full, now_ms, utc
from queuectl.model.fire import StoredSpec
from queuectl.model.spec import schedule_zone
from queuectl.rules.schedule import describe_schedule
from queuectl.service import jobs, origin, specs, views
from queuectl.service.context import Context
from queuectl.store.listing import JobFilter

NEWEST = 5


@click.command(cls=Command, examples="queuectl spec show nightly-dump")
@click.argument("name", shell_complete=spec_names)
@output_option
@database_option
def command(name: str, output: Output) -> None:
    """Show everything about a spec."""
    with open_queue(create=False) as ctx:
        stored = specs.get_spec(ctx, name)
        if output != "table":
            print_object(views.spec_detail(stored, zone=ctx.config.timezone), output)
            return
        print_fields(_fields(ctx, stored))
        click.echo("\nits newest jobs:")
        print_jobs(jobs.list_jobs(ctx, JobFilter(spec=name), limit=NEWEST), nothing="none yet")


def _fields(ctx: Context, stored: StoredSpec) -> Iterator[tuple[str, object]]:
    spec, now = stored.spec, now_ms()
    detail = views.spec_detail(stored, zone=ctx.config.timezone)
    yield "spec", f"{stored.name}, version {stored.version}"
    yield "description", spec.description
    yield "owner", spec.owner
    yield "labels", ", ".join(f"{name}={value}" for name, value in spec.labels.items()) or None
    yield "file", f"{stored.file} ({stored.source})"
    yield "applied", _applied(ctx, stored)
    yield "command", command_text(spec.command)
    yield "folder", spec.cwd
    yield "env", "\n".join(f"{name}={env_text(value)}" for name, value in detail["env"].items()) or None
    yield "env file", "\n".join(spec.env_file) or None
    if spec.schedule is not None:
        zone = schedule_zone(spec, ctx.config.timezone)
        yield "schedule", "; ".join(spec.schedule.cron) or None
        yield "in words", describe_schedule(spec.schedule, zone)
        yield "overlap", f"{spec.schedule.overlap}, catch_up: {spec.schedule.catch_up}"
        yield "next fire", None if stored.paused else full(stored.next_fire_at, now)
        yield "last fire", None if stored.last_fire_at is None else full(stored.last_fire_at, now)
    yield "run at", None if spec.run_at_ms is None else full(spec.run_at_ms, now)
    yield "queue", f"{spec.queue}, priority {spec.priority}"
    yield "retries", spec.retries
    yield "timeout", detail["timeout"]
    if stored.paused:
        by_hand = (
            f"by {stored.paused_by} {full(stored.paused_at, now)}" if stored.paused_at is not None else None
        )
        by_hand = f"{by_hand}: {stored.pause_reason}" if by_hand and stored.pause_reason else by_hand
        yield "paused", by_hand or "in its file"
    if stored.orphaned:
        yield "orphaned", "not in the files any more; 'queuectl apply --prune' removes it"


def _applied(ctx: Context, stored: StoredSpec) -> str:
    apply = origin.applied_by(ctx, stored)
    if apply is None:
        return utc(stored.updated_at)
    dirty = " with local changes" if apply.git_dirty else ""
    return f"{utc(apply.at)} by {apply.who}" + (
        f" from commit {apply.git_commit[:12]}{dirty}" if apply.git_commit else ""
    )
