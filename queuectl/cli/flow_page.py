"""A flow as a tree: each job once, below the one of its needs that held it up last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import click

from queuectl.cli.tables import Column, print_table
from queuectl.cli.times import now_ms, rough, utc
from queuectl.model.flow import JobNeed
from queuectl.model.job import Job
from queuectl.model.states import JobState
from queuectl.service.flows import Flow

COLUMNS = (
    Column("JOB"),
    Column("ID", justify="right"),
    Column("STATE", state=True),
    Column("STARTED (UTC)"),
    Column("TOOK", justify="right"),
    Column("REASON", flexible=True, optional=True),
)

DEEPEST = 45
"""Columns that lines of the tree take at most: 15 levels. What is deeper stands there, too."""


def show_flow(flow: Flow) -> None:
    """Print a flow for people."""
    click.echo(_title(flow))
    now = now_ms()
    path = set(flow.critical_path) if flow.took_ms is not None else set()  # what is still open may decide yet
    rows = []
    for job, stem in _tree(flow):
        times = flow.times.get(job.id)
        running = times is not None and times.took_ms is None
        rows.append(
            (
                f"{stem}{job.spec or job.key or f'job {job.id}'}{' *' if job.id in path else ''}",
                job.id,
                job.state,
                utc(times.started_at) if times else None,
                rough(now - job.updated_at if running else times.took_ms) if times else None,
                job.reason or _others(flow, job),
            )
        )
    print_table(COLUMNS, rows, nothing="")
    if path:
        click.echo("\n* the chain that decided when it ended")


def _title(flow: Flow) -> str:
    counts: dict[JobState, int] = {}
    for job in flow.jobs:
        counts[job.state] = counts.get(job.state, 0) + 1
    shown = ", ".join(f"{counts[state]:,} {state}" for state in JobState if state in counts)
    took = f" in {rough(flow.took_ms)}" if flow.took_ms is not None else ""
    return f"{click.style(f'flow {flow.id}', bold=True)}  {shown}{took}\n"


def _tree(flow: Flow) -> Iterator[tuple[Job, str]]:
    """Walk depth first; give each job with the lines that lead to it. Without recursion: chains are long."""
    below: dict[int | None, list[Job]] = {}
    by_id = {job.id: job for job in flow.jobs}
    for job in flow.jobs:
        below.setdefault(_parent(flow, job, by_id), []).append(job)
    todo = [(job, "", "") for job in reversed(below.get(None, []))]
    while todo:
        job, stem, indent = todo.pop()
        yield job, stem
        children = below.get(job.id, [])
        for at, child in reversed(list(enumerate(children))):
            last = at == len(children) - 1
            todo.append(
                (child, _cut(indent + ("└─ " if last else "├─ ")), _cut(indent + ("   " if last else "│  ")))
            )


def _cut(lines: str) -> str:
    return lines if len(lines) <= DEEPEST else f"…{lines[1 - DEEPEST :]}"


def _parent(flow: Flow, job: Job, by_id: Mapping[int, Job]) -> int | None:
    """Return which of its needs a job hangs below.

    One that keeps it from running (a dead one, then one that is still open), else the one that ended last.
    """

    def weight(need: JobNeed) -> tuple[bool, bool, int, int]:
        one = by_id[need.needs_id or 0]
        is_over = one.finished_at is not None
        return not need.met and is_over, not is_over, one.finished_at or 0, one.id

    needed = [need for need in flow.needs.get(job.id, ()) if need.needs_id in by_id]
    return max(needed, key=weight).needs_id if needed else None


def _others(flow: Flow, job: Job) -> str | None:
    needs: Sequence[str] = [need.spec or f"job {need.needs_id}" for need in flow.needs.get(job.id, ())]
    return f"after {', '.join(needs)}" if len(needs) > 1 else None
