"""How jobs and what they run are shown to people."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from markupsafe import Markup, escape

from queuectl.model.job import Job
from queuectl.model.states import JobState
from queuectl.rules.visible import visible


def command_text(command: str | Sequence[str]) -> str:
    """Return a command as it would be typed."""
    return visible(command if isinstance(command, str) else shlex.join(command), lines=True)


def linked(text: str, base: str) -> Markup:
    """Return text in which jobs that it names are links: `job 12`."""
    shown = str(escape(visible(text, lines=True)))
    return Markup(re.sub(r"\bjob (\d{1,18})\b", rf'<a href="{escape(base)}/jobs/\1">job \1</a>', shown))  # noqa: S704


def when(job: Job) -> tuple[str, int | None]:
    """Return what matters of a job's times: in a word what it is, and the instant."""
    match job.state:
        case JobState.SCHEDULED | JobState.FAILED:
            return "due", job.run_at
        case JobState.PROCESSING:
            return "started", job.updated_at
        case JobState.PENDING | JobState.BLOCKED:
            return "waits since", job.run_at
        case _:
            return "ended", job.finished_at


def tries(job: Job) -> str:
    """Return how many attempts there were, of how many it may have: `2/4`."""
    most = job.max_retries + 1
    return f"{job.attempt}/{most}" if job.attempt <= most else str(job.attempt)


def plural(count: int, noun: str) -> str:
    """Write a count with its noun: `1 job`, `1,200 jobs`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
