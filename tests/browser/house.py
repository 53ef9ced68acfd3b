"""A queue that has something on every page."""

from __future__ import annotations

from pathlib import Path

from queuectl.model.states import JobState
from queuectl.service import queues, specs
from queuectl.service.context import Context
from tests.service.applying import apply_files
from tests.store.conftest import Bench

LONG = "x" * 3000
SPECS = {
    "nightly-dump.yaml": "description: Dumps the *database*.\nowner: ops\ncommand: pg_dump main\n"
    "schedule: '0 2 * * *'\ntimezone: Europe/Berlin\nenv: {TOKEN: secret}\n",
    "often.yaml": "command: 'true'\nschedule: {every: 5m}\n",
    "paused.yaml": "command: 'true'\nschedule: '@daily'\n",
    "with-params.yaml": "command: 'true'\nparams: {day: {type: string}, way: {enum: [up, down]}}\n",
    "gone.yaml": "command: 'true'\nschedule: '@weekly'\n",
}
OUTPUT = (
    b"plain\n\x1b[31mred\x1b[0m \x1b[1;44mbold on blue\x1b[0m \x1b[2mdim\x1b[0m \x1b[7minverse\x1b[0m\n"
    + b"y" * 500
)


def furnish(ctx: Context, bench: Bench, folder: Path) -> list[str]:
    """Fill a queue, and return the paths of all pages of the dashboard over it."""
    apply_files(ctx, folder, SPECS)
    (folder / "gone.yaml").unlink()
    changed = SPECS["nightly-dump.yaml"].replace("pg_dump main", "pg_dump --all")
    apply_files(ctx, folder, {"nightly-dump.yaml": changed})
    specs.pause(ctx, "paused", reason="the disk is full")
    bench.enqueue(queue="mail")
    queues.pause(ctx, "mail", reason="the server moves")
    now = ctx.now()
    ids = {}
    for state in JobState:
        for number in range(3):
            job = bench.in_state(state, now=now - 60_000 * number, spec="nightly-dump" if number else None)
            ids[state] = job.id
    dead = bench.processing(priority=1000, now=now, command=LONG, key="k" * 100, spec=None)
    said = {"output": OUTPUT, "output_bytes": len(OUTPUT), "error": "exit code 1"}
    bench.finish(dead, JobState.DEAD, now=now, **said)
    return [
        "",
        "?span=week",
        "jobs",
        "jobs?text=pg&state=dead",
        "jobs?text=nothing-is-like-this",
        *(f"jobs/{ids[state]}" for state in JobState),
        f"jobs/{dead.id}",
        f"jobs/{dead.id}/log",
        "jobs/999999",
        "specs",
        "specs?kind=paused",
        "specs/nightly-dump",
        "specs/nightly-dump?version=1",
        "specs/with-params",
        "specs/gone",
        "dead",
        "dead/group?error=exit+code+1",
        "workers",
        "settings",
    ]
