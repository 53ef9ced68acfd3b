"""Options of `run` and `worker start`, which are the same thing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from queuectl.cli.completion import queue_names

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def run_options(command: Decorated) -> Decorated:
    """Add what `run` and `worker start` share; what isn't named in `RunOptions` is configuration."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def overrides(settings: dict[str, str | None]) -> dict[str, str]:
    """Return the settings that were given. `--backoff-base 3` alone is the old spelling of 3, 9, 27 s."""
    given = {name.replace("_", "-"): value for name, value in settings.items() if value is not None}
    base = given.get("backoff-base")
    if base is not None and "backoff-factor" not in given and _is_factor(base):
        given["backoff-factor"] = base
    return given


def _is_factor(text: str) -> bool:
    return text.strip().replace(".", "", 1).isdecimal() and float(text) >= 1


_OPTIONS = (
    click.option(
        "--slots", "--workers", "--count", "slots", type=click.IntRange(1, 1000), default=4, show_default=True,
        metavar="N", help="How many jobs run at once, in each process.",
    ),
    click.option(
        "--processes", type=click.IntRange(1, 256), default=1, show_default=True, metavar="N",
        help="How many worker processes; one that dies is replaced.",
    ),
    click.option(
        "-q", "--queue", "queues", multiple=True, metavar="NAME", shell_complete=queue_names,
        help="Serve only this queue; may be given again.",
    ),
    click.option("--until-idle", is_flag=True, help="End when nothing is left to do; 1 if a job died."),
    click.option("--stop-grace", metavar="D", help="On a stop wait so long for running jobs.  [default: for ever]"),
    click.option("--poll-interval", metavar="D", help="Look at the queue at least so often.  [default: 1s]"),
    click.option("--backoff-base", metavar="D", help="Delay before the first retry; a bare 3 means 3, 9, 27 s."),
    click.option("--backoff-factor", metavar="X", help="Each further delay is so many times the one before."),
    click.option("--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True),
    click.option("--log-file", metavar="F", help="Where the log goes.  [default: stderr]"),
    click.option("--log-level", metavar="L", help="debug, info, warning or error.  [default: info]"),
)  # fmt: skip
