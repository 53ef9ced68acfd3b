"""`queuectl apply`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from queuectl.cli.confirm import confirmed
from queuectl.cli.json_output import Output, print_object
from queuectl.cli.lazy import Command
from queuectl.cli.options import (
    SPEC_PATH,
    already_read,
    database_option,
    open_queue,
    open_queue_for,
    output_option,
    yes_option,
)
from queuectl.cli.plan_page import print_plan, print_remarks, summary
from queuectl.cli.shown import plural
from queuectl.rules.plan import Plan
from queuectl.service import apply as service
from queuectl.service import views


@click.command(
    cls=Command,
    examples="""
    queuectl apply jobs.d/
    queuectl apply jobs.d/ --dry-run
    queuectl apply jobs.d/ --prune --yes
    """,
)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=SPEC_PATH)
@click.option("--prune", is_flag=True, help="Remove specs of this source that are not in the files any more.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option(
    "--source", metavar="NAME", help="The set of specs that the files are.  [default: from the path]"
)
@click.option("--adopt", is_flag=True, help="Take over names that another source holds.")
@click.option(
    "--allow-empty", is_flag=True, help="Let --prune remove everything when the files hold no spec."
)
@yes_option
@output_option
@database_option
def command(
    *,
    paths: tuple[Path, ...],
    prune: bool,
    dry_run: bool,
    source: str | None,
    adopt: bool,
    allow_empty: bool,
    yes: bool,
    output: Output,
) -> int:
    """Make the queue match the spec files.

    All or nothing: one bad file and nothing is applied. A spec without a schedule is run once per
    version. Specs that left the files run on until they are pruned.
    """
    plan_options: dict[str, Any] = {
        "source": source, "prune": prune, "adopt": adopt, "allow_empty": allow_empty,
    }  # fmt: skip
    with open_queue(create=False, looking=True) if dry_run else open_queue_for(paths) as ctx:
        if dry_run:
            plan = service.plan(ctx, paths, **plan_options)
            print_remarks(plan)
            _print(plan, output, f"dry run, nothing was changed: {summary(plan)}")
            return 0
        seen: list[Plan] = []

        def confirm(plan: Plan) -> bool:
            if output == "table":
                seen.append(plan)
                print_plan(plan)
            return confirmed(f"Prune {plural(len(plan.pruned), 'spec')}?", yes=False)

        applied = service.apply(
            ctx, paths, **plan_options, confirm=None if yes else confirm, loaded=already_read()
        )
    plan = applied.plan
    if applied.apply_id is None and plan.changes_anything:
        return 1
    print_remarks(plan)
    last_line = f"applied: {summary(plan)}"
    if seen:
        click.echo(last_line)
    else:
        _print(plan, output, last_line)
    return 0


def _print(plan: Plan, output: Output, last_line: str) -> None:
    if output == "table":
        print_plan(plan)
        click.echo(last_line)
    else:
        print_object(views.apply_view(plan), output)
