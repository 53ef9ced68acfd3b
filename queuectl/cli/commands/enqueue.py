"""`queuectl enqueue`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import click

from queuectl.cli import params
from queuectl.cli.ad_hoc import LONGEST_LINE, Reader, parse_json
from queuectl.cli.completion import job_ids, queue_names, spec_names
from queuectl.cli.json_output import ArrayPrinter, Output, print_array, print_object
from queuectl.cli.lazy import Command
from queuectl.cli.options import database_option, open_queue, output_option
from queuectl.model.errors import UsageError
from queuectl.model.job import Job
from queuectl.model.spec import PRIORITY_RANGE, RETRIES_RANGE
from queuectl.service.context import Context
from queuectl.service.enqueue import Enqueued, Request, enqueue_all


@click.command(
    cls=Command,
    examples="""
    queuectl enqueue 'pg_dump main | gzip > main.gz' --timeout 10m
    queuectl enqueue --delay 15m --key reindex -- ./reindex --all
    queuectl enqueue '{"id": "job1", "command": "date", "max_retries": 5}'
    queuectl enqueue --file job.json --wait
    queuectl enqueue --spec export --set DAY=2026-03-01
    ls *.png | sed 's/.*/optipng &/' | queuectl enqueue - --queue images
    """,
)
@click.argument("words", metavar="COMMAND | JSON | -", nargs=-1)
@click.option(
    "-f", "--file", type=click.Path(), help="A JSON file: one object, or an array of them; - is stdin."
)
@click.option("-c", "--command", "text", metavar="COMMAND", help="The command, for the shell.")
@click.option(
    "-p",
    "--priority",
    type=click.IntRange(*PRIORITY_RANGE),
    metavar="N",
    help="Higher runs first.  [default: 0]",
)
@click.option(
    "--max-retries", "--retries", "retries", type=click.IntRange(*RETRIES_RANGE), metavar="N",
    help="Extra attempts after the first.",
)  # fmt: skip
@click.option("--timeout", metavar="D", help="How long an attempt may take, or none.")
@click.option(
    "--run-at", metavar="T", help="When: 2026-05-01T03:00:00+02:00; UTC or config timezone if it says none."
)
@click.option("--delay", metavar="D", callback=params.duration_from_zero, help="Run so much later.")
@click.option(
    "-q", "--queue", metavar="NAME", shell_complete=queue_names, help="Which queue.  [default: default]"
)
@click.option(
    "-k", "--key", "--id", "key", metavar="K", help="Unique name; if it exists already, that is its job."
)
@click.option("-e", "--env", multiple=True, metavar="NAME=VALUE", callback=params.pairs, help="A variable.")
@click.option("--cwd", type=click.Path(), metavar="DIR", help="Working directory.  [default: this one]")
@click.option(
    "--needs", multiple=True, metavar="ID", shell_complete=job_ids,
    help="Run when this job has completed; may be given again.",
)  # fmt: skip
@click.option(
    "--spec", metavar="NAME", shell_complete=spec_names, help="A job of this spec, as `trigger` makes it."
)
@click.option(
    "--set", "arguments", multiple=True, metavar="NAME=VALUE", callback=params.pairs,
    help="A parameter of the spec.",
)  # fmt: skip
@click.option("-w", "--wait", is_flag=True, help="Wait for the end; exit code 1 unless it completes.")
@output_option
@database_option
def command(
    *,
    words: tuple[str, ...],
    file: str | None,
    text: str | None,
    priority: int | None,
    retries: int | None,
    timeout: str | None,
    run_at: str | None,
    delay: int | None,
    queue: str | None,
    key: str | None,
    env: dict[str, str],
    cwd: str | None,
    needs: tuple[str, ...],
    spec: str | None,
    arguments: dict[str, str],
    wait: bool,
    output: Output,
) -> int:
    """Put an ad-hoc job in the queue.

    One word is a command for the shell, or a JSON object with the fields of a spec file; several
    words are a program with its arguments, run without a shell (write -- before them). With - each
    line of stdin is a command or a JSON object: they are enqueued as they come in, in batches of up to
    5,000 lines that are enqueued as a whole or not at all. Options win over what the JSON says.
    """
    if run_at is not None and delay is not None:
        raise UsageError("--run-at and --delay exclude each other")
    given = {"priority": priority, "retries": retries, "timeout": timeout, "queue": queue, "env": env or None}
    if spec is not None:
        _check_alone({"command": [*words, file, text], "key": key, "cwd": cwd, "needs": needs, **given})
        return _of_spec(spec, arguments, run_at, delay, output, wait=wait)
    if arguments:
        raise UsageError("--set sets the parameters of a spec; name it with --spec")
    _check_one(words, file, text)
    many = words == ("-",)
    if many and key is not None:
        raise UsageError("--key names one job; a JSON object on a line may have a key of its own")
    options: dict[str, Any] = {
        name: value for name, value in (given | {"cwd": cwd}).items() if value is not None
    }

    def reader(ctx: Context) -> Reader:
        zone = ctx.config.timezone
        due = params.instant(run_at, "--run-at", zone)
        needed = _needed(ctx, needs) if needs else ()
        return Reader(zone=zone, options=options, key=key, run_at_ms=due, delay_ms=delay, needs=needed)

    if many:
        return _enqueue_stdin(reader, output, wait=wait)
    requests: list[Request] = []

    def read(ctx: Context) -> list[Request]:
        requests[:] = requests or _requests(reader(ctx), words, file, text)  # once: stdin can't be read again
        return requests

    with open_queue(create=True, rehearse=lambda ctx: enqueue_all(ctx, read(ctx))) as ctx:
        made = enqueue_all(ctx, read(ctx))
        jobs = [one.job for one in made]
        if output == "table":
            _say(made)
        if wait:
            jobs = _wait_for(ctx, jobs)
    if output != "table":
        _print(jobs, output)
    return _exit_code(jobs, output) if wait else 0


def _check_alone(others: dict[str, Any]) -> None:
    found = next((name for name, value in others.items() if value not in (None, (), [None, None])), None)
    if found is not None:
        raise UsageError(f"--spec: the spec says what its jobs are; found {found} as well")


def _of_spec(
    name: str, arguments: dict[str, str], run_at: str | None, delay: int | None, output: Output, *, wait: bool
) -> int:
    from queuectl.service.specs import trigger  # noqa: PLC0415  not for ad-hoc jobs

    with open_queue(create=False) as ctx:
        start = params.instant(run_at, "--run-at", ctx.config.timezone)
        made = trigger(ctx, [name], arguments=arguments, at=start if delay is None else ctx.now() + delay)
        if output == "table":
            _say([Enqueued(job=job, created=True) for job in made])
        jobs = _wait_for(ctx, made) if wait else made
    if output != "table":
        _print(jobs, output)
    return _exit_code(jobs, output) if wait else 0


def _check_one(words: Sequence[str], file: str | None, text: str | None) -> None:
    given = [name for name, value in (("COMMAND", words), ("--file", file), ("--command", text)) if value]
    if len(given) > 1:
        raise click.UsageError(f"expected one of COMMAND, --file and --command, found {' and '.join(given)}")
    if words[:1] == ("-",) and len(words) > 1:
        raise click.UsageError("- stands alone: the commands come from stdin")
    if not given and text != "":
        raise click.UsageError("expected a COMMAND, a JSON object, or - for stdin")


def _requests(reader: Reader, words: Sequence[str], file: str | None, text: str | None) -> list[Request]:
    if file is not None:
        return _from_file(reader, file)
    if text is not None:
        return [reader.from_command(text)]
    return [reader.from_text(words[0]) if len(words) == 1 else reader.from_command(words)]


def _from_file(reader: Reader, name: str) -> list[Request]:
    try:
        content = sys.stdin.buffer.read(LONGEST_LINE + 1) if name == "-" else _content(Path(name))
        value = parse_json(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise UsageError(f"{name} is not UTF-8") from None
    except OSError as error:
        raise UsageError(f"{name}: {error.strerror}") from None
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from None
    objects = value if isinstance(value, list) else [value]
    if not objects or not all(isinstance(one, dict) for one in objects):
        raise UsageError(f"{name}: expected a JSON object, or an array of them")
    if len(objects) > 1 and reader.key is not None:
        raise UsageError(f"--key names one job, and {name} holds {len(objects)}; give each a key of its own")
    return [
        _entry(reader, f"{name}, entry {number}" if len(objects) > 1 else name, one)
        for number, one in enumerate(objects, 1)
    ]


def _entry(reader: Reader, place: str, value: dict[str, Any]) -> Request:
    try:
        return reader.from_object(value, place)
    except UsageError as error:
        raise UsageError(f"{place}: {error}") from None


def _content(path: Path) -> bytes:
    if path.is_dir():
        raise UsageError("expected a JSON file, found a folder; 'queuectl apply' takes folders")
    with path.open("rb") as file:
        content = file.read(LONGEST_LINE + 1)
    if len(content) > LONGEST_LINE:
        raise UsageError("expected at most 1 MiB of JSON; 'enqueue -' takes an object a line")
    return content


def _enqueue_stdin(reader: Callable[[Context], Reader], output: Output, *, wait: bool) -> int:
    from queuectl.cli.lines import Batch, batches, enqueue_lines, rehearse_first  # noqa: PLC0415  not for single jobs
    from queuectl.rules.shapes import job_view  # noqa: PLC0415  as below

    lines = batches(sys.stdin.buffer)
    read: list[Batch] = []

    def rehearse(ctx: Context) -> None:
        read[:] = rehearse_first(ctx, reader(ctx), lines)

    with open_queue(create=True, rehearse=rehearse) as ctx:
        enqueue = partial(enqueue_lines, ctx, reader(ctx), chain(read, lines))
        if output == "table" and not wait:
            click.echo(str(enqueue()))
            return 0
        if not wait:
            with ArrayPrinter(output) as printer:
                enqueue(lambda jobs: printer.add(map(job_view, jobs)))
            return 0
        jobs: list[Job] = []
        tally = enqueue(jobs.extend)
        if output == "table":
            click.echo(str(tally))
        jobs = _wait_for(ctx, jobs)
    if output != "table":
        print_array(map(job_view, jobs), output)
    return _exit_code(jobs, output)


def _needed(ctx: Context, needs: Sequence[str]) -> tuple[int, ...]:
    from queuectl.service.jobs import find  # noqa: PLC0415  most jobs need none

    return tuple(dict.fromkeys(find(ctx, one).id for one in needs))


def _wait_for(ctx: Context, jobs: Sequence[Job]) -> list[Job]:
    from queuectl.cli.waiting import wait_for  # noqa: PLC0415  only with --wait

    return wait_for(ctx, jobs, timeout_ms=None)


def _exit_code(jobs: Sequence[Job], output: Output) -> int:
    from queuectl.cli.waiting import exit_code  # noqa: PLC0415  as above

    return exit_code(jobs, quiet=output != "table")


def _say(made: Sequence[Enqueued]) -> None:
    for one in made:
        click.echo(
            f"job {one.job.id} enqueued"
            if one.created
            else f"job {one.job.id} has this key already; it is {one.job.state}"
        )


def _print(jobs: Sequence[Job], output: Output) -> None:
    from queuectl.rules.shapes import job_view  # noqa: PLC0415  not needed without -o

    if len(jobs) == 1:
        print_object(job_view(jobs[0]), output)
    else:
        print_array(map(job_view, jobs), output)
