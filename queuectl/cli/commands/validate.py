"""`queuectl validate`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from queuectl.cli.json_output import Output, print_object
from queuectl.cli.lazy import Command
from queuectl.cli.options import SPEC_PATH, output_option
from queuectl.cli.plan_page import say_warnings
from queuectl.cli.shown import plural
from queuectl.cli.times import now_ms
from queuectl.service.apply import validate
from queuectl.service.settings import effective


@click.command(
    cls=Command,
    examples="""
    queuectl validate jobs.d/
    queuectl validate --strict jobs.d/ other.yaml
    """,
)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=SPEC_PATH)
@click.option("--strict", is_flag=True, help="Take warnings for errors.")
@output_option
def command(paths: tuple[Path, ...], strict: bool, output: Output) -> int:
    """Check spec files; needs no queue.

    Exit code 0 when they are all right, 3 when not; every error of every file is shown. Good for a
    commit hook or a build.
    """
    found = validate(paths, effective({}, os.environ), now=now_ms())
    say_warnings(found.warnings)
    ok = not (strict and found.warnings)
    if output == "table":
        files = len({one.file for one in found.specs})
        warned = f", {plural(len(found.warnings), 'warning')}" if found.warnings else ""
        click.echo(f"{plural(len(found.specs), 'spec')} in {plural(files, 'file')}: ok{warned}")
    else:
        specs = [{"name": one.spec.name, "file": one.file, "line": one.line} for one in found.specs]
        result = {
            "valid": ok,
            "specs": specs,
            "ignored": list(found.ignored),
            "warnings": list(found.warnings),
        }
        print_object(result, output)
    return 0 if ok else 3
