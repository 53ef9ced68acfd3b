"""`queuectl doctor`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import click

from queuectl.cli.findings_page import print_finding, summary
from queuectl.cli.json_output import ArrayPrinter, Output
from queuectl.cli.lazy import Command
from queuectl.cli.options import database, database_option, output_option
from queuectl.service.doctor import Finding, examine
from queuectl.service.views import finding_view


@click.command(
    cls=Command,
    examples="""
    queuectl doctor
    queuectl doctor --quick
    queuectl doctor -o json | jq '.[] | select(.status == "problem")'
    """,
)
@click.option("--quick", is_flag=True, help="Leave out what takes long in a large queue.")
@output_option
@database_option
def command(*, quick: bool, output: Output) -> int:
    """Check the queue, its workers and the machine.

    It says what to do about what it finds, and changes nothing: it may run at any time, on a damaged
    queue too. Exit code 0 when all is well or there are only warnings, 1 when there is a problem.
    """
    seen = _print(examine(database(), quick=quick), output)
    if output == "table":
        click.echo(summary(seen))
    return int(seen["problem"] > 0)


def _print(findings: Iterable[Finding], output: Output) -> Counter[str]:
    """Print each as it is found: a large queue takes a while. Returns how many there are of each status."""
    seen: Counter[str] = Counter()
    if output == "table":
        for finding in findings:
            seen[finding.status] += 1
            print_finding(finding)
        return seen
    with ArrayPrinter(output) as printer:
        for finding in findings:
            seen[finding.status] += 1
            printer.add([finding_view(finding)])
    return seen
