"""`queuectl list`."""

from __future__ import annotations

import click

from queuectl.cli import params
from queuectl.cli.completion import queue_names, spec_names, state_names
from queuectl.cli.filters import check_filters
from queuectl.cli.json_output import Output, print_array
from queuectl.cli.lazy import Command
from queuectl.cli.limits import limit_option, one_more, say_cut
from queuectl.cli.options import database_option, label_option, open_queue, output_option
from queuectl.cli.shown import print_jobs
from queuectl.model.states import JobState
from queuectl.service import jobs
from queuectl.store.listing import JobFilter


@click.command(
    cls=Command,
    examples="""
    queuectl list
    queuectl list --state failed,dead --since 24h
    queuectl list --spec nightly-dump --limit 5
    queuectl list --label team=data
    queuectl list --state pending -o jsonl | jq .command
    """,
)
@click.option(
    "-s", "--state", "states", multiple=True, metavar="STATE", callback=params.states,
    shell_complete=state_names, help="Only jobs in this state; several with commas.",
)  # fmt: skip
@click.option("--spec", metavar="NAME", shell_complete=spec_names, help="Only jobs of this spec.")
@click.option("-q", "--queue", metavar="NAME", shell_complete=queue_names, help="Only jobs of this queue.")
@label_option
@click.option("--since", metavar="T", help="Only jobs that changed since: a time, or so long ago (24h).")
@limit_option
@output_option
@database_option
def command(
    *,
    states: tuple[JobState, ...],
    spec: str | None,
    queue: str | None,
    labels: dict[str, str],
    since: str | None,
    limit: int,
    output: Output,
) -> None:
    """List jobs, newest first."""
    with open_queue(create=False) as ctx:
        check_filters(ctx, spec=spec, queue=queue)
        wanted = JobFilter(
            states=states or None,
            spec=spec,
            queue=queue,
            since=params.since(since, "--since", ctx.config.timezone),
        )
        found = jobs.list_jobs(ctx, wanted, labels=labels, limit=one_more(limit))
    shown = found[: limit or None]
    if output == "table":
        print_jobs(shown, nothing="no jobs")
    else:
        from queuectl.rules.shapes import job_view  # noqa: PLC0415  not for people

        print_array(map(job_view, shown), output)
    say_cut(found, limit)
