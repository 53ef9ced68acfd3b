"""`queuectl diff`."""

from __future__ import annotations

from pathlib import Path

import click

from queuectl.cli.json_output import Output, print_object
from queuectl.cli.lazy import Command
from queuectl.cli.options import SPEC_PATH, database_option, open_queue, output_option
from queuectl.cli.plan_page import print_plan, print_remarks, summary
from queuectl.service import views
from queuectl.service.apply import plan


@click.command(
    cls=Command,
    examples="""
    queuectl diff jobs.d/
    queuectl diff jobs.d/ --prune -o json | jq .updated
    """,
)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=SPEC_PATH)
@click.option("--prune", is_flag=True, help="As apply --prune would.")
@click.option(
    "--source", metavar="NAME", help="The set of specs that the files are.  [default: from the path]"
)
@click.option("--adopt", is_flag=True, help="As apply --adopt would.")
@output_option
@database_option
def command(paths: tuple[Path, ...], prune: bool, source: str | None, adopt: bool, output: Output) -> int:
    """Show what apply would change.

    Exit code 0 when nothing would, 1 when something would.
    """
    with open_queue(create=False, looking=True) as ctx:
        found = plan(ctx, paths, source=source, prune=prune, adopt=adopt, allow_empty=True)
    print_remarks(found)
    if output == "table":
        print_plan(found)
        click.echo(f"apply would change: {summary(found)}" if found.changes_anything else "no changes")
    else:
        print_object(views.apply_view(found), output)
    return int(found.changes_anything)
