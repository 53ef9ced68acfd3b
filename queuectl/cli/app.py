"""The command line's table of contents."""

from __future__ import annotations

import click

import queuectl
from queuectl.cli.lazy import LazyGroup
from queuectl.cli.options import database_option

SECTIONS = {
    "Jobs as code": {
        "apply": "Make the queue match the spec files.",
        "diff": "Show what apply would change.",
        "validate": "Check spec files; needs no queue.",
        "next": "Show the coming fires of the queue or of files.",
        "schema": "Print the JSON Schema of spec files.",
    },
    "Run": {
        "run": "Schedule and run jobs: the scheduler and worker in one.",
        "enqueue": "Put an ad-hoc job in the queue.",
        "trigger": "Make a job of a spec now.",
        "backfill": "Run a schedule for instants of the past.",
        "worker": "Start, stop, pause and list workers.",
    },
    "Look": {
        "status": "Show what the queue is doing.",
        "list": "List jobs, newest first.",
        "get": "Show everything about one job.",
        "logs": "Show the output of a job.",
        "why": "Say why a job or spec is not running, and what would change it.",
        "flow": "Show the jobs that belong together, as a tree.",
        "wait": "Wait until jobs are over.",
        "spec": "List, show, pause and delete specs.",
        "fires": "Show the ledger: due instants and what became of them.",
    },
    "Steer": {
        "cancel": "Stop jobs, waiting or running.",
        "retry": "Run jobs again.",
        "dlq": "Look through the dead letter queue and redrive it.",
        "queue": "List, pause, resume, limit and clear queues.",
        "purge": "Delete old finished jobs.",
    },
    "Set up": {
        "dashboard": "Show and steer the queue in a browser.",
        "notify": "Try notifications.",
        "config": "Read and change the configuration.",
        "backup": "Copy the queue to a file while it is used.",
        "doctor": "Check the queue, its workers and the machine.",
        "completion": "Print the completion script of a shell.",
    },
}


@click.group(
    cls=LazyGroup,
    package="queuectl.cli.commands",
    sections=SECTIONS,
    quick_start="""
    queuectl enqueue 'echo hello'    put a job in the queue
    queuectl run jobs.d/             apply the specs in a folder, run jobs on time
    """,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "token_normalize_func": lambda token: token.replace("_", "-"),
    },
)
@click.version_option(queuectl.__version__, message="queuectl %(version)s")
@database_option
def app() -> None:
    """Jobs as code: commit job specs, run them on time, never lose one."""
