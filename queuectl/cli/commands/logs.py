"""`queuectl logs`."""

from __future__ import annotations

from collections.abc import Callable

import click

from queuectl.cli.completion import job_ids
from queuectl.cli.json_output import Output, print_with_text
from queuectl.cli.lazy import Command
from queuectl.cli.options import database_option, open_queue, output_option
from queuectl.cli.output_page import OutputPrinter
from queuectl.model.job import Attempt
from queuectl.service import jobs, logs
from queuectl.service.output_text import as_text, last_lines


@click.command(
    cls=Command,
    examples="""
    queuectl logs 12
    queuectl logs nightly-dump -f
    queuectl logs 12 --attempt 1 --tail 50
    queuectl logs 12 > output.bin
    """,
)
@click.argument("job_id", metavar="ID", shell_complete=job_ids)
@click.option("-f", "--follow", is_flag=True, help="Go on until the job is over.")
@click.option(
    "-a", "--attempt", type=click.IntRange(min=1), metavar="N", help="Which one.  [default: the latest]"
)
@click.option("-n", "--tail", type=click.IntRange(min=0), metavar="N", help="Only the last N lines.")
@click.option("--raw", is_flag=True, help="Don't touch control characters on a terminal.")
@output_option
@database_option
def command(
    *, job_id: str, follow: bool, attempt: int | None, tail: int | None, raw: bool, output: Output
) -> None:
    """Show the output of a job.

    On a terminal control characters are shown, not obeyed (--raw lets them through); in a pipe or
    a file it is the exact bytes. What was not kept of a long output is marked.
    """
    if follow and (tail is not None or output != "table"):
        raise click.UsageError("--follow goes neither with --tail nor with -o", click.get_current_context())
    with open_queue(create=False) as ctx:
        job = jobs.find(ctx, job_id)
        if output != "table":
            found = logs.find_attempt(ctx, job, attempt)
            written = logs.pieces(ctx, job, found.number)
            text = as_text(written if tail is None else last_lines(written, tail))
            shown = {"job": job.id, "attempt": found.number, "outcome": found.outcome}
            shown |= {"output_bytes": found.output_bytes, "truncated": found.truncated}
            print_with_text(shown, "output", text, output)
            return
        printer = OutputPrinter(raw=raw)
        if follow:
            pieces = logs.follow(ctx, job, attempt, until_final=attempt is None, on_attempt=_headings())
        else:
            pieces = logs.pieces(ctx, job, attempt)
        printer.print(pieces if tail is None else last_lines(pieces, tail))


def _headings() -> Callable[[Attempt], None]:
    """Return what says on stderr that another attempt begins; the first needs no heading."""
    begun: set[int] = set()

    def say(attempt: Attempt) -> None:
        if begun:
            click.echo(f"[attempt {attempt.number}]", err=True)
        begun.add(attempt.number)

    return say
