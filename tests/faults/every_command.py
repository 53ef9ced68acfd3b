"""Every command of the command line, with words that it does something useful with."""

from __future__ import annotations

import json
from pathlib import Path

from tests.command import Queuectl

EVERY: dict[str, str] = {
    "apply": "apply jobs.d --source jobs",
    "diff": "diff jobs.d --source jobs",
    "validate": "validate jobs.d",
    "next": "next",
    "schema": "schema",
    "run": "run --until-idle --queue none",
    "enqueue": "enqueue true",
    "trigger": "trigger nightly",
    "backfill": "backfill nightly --from 2026-01-01 --to 2026-01-03",
    "worker start": "worker start --until-idle --queue none",
    "worker stop": "worker stop",
    "worker pause": "worker pause",
    "worker resume": "worker resume",
    "worker list": "worker list",
    "status": "status",
    "list": "list",
    "get": "get hello",
    "logs": "logs hello",
    "why": "why hello",
    "flow": "flow after",
    "wait": "wait hello",
    "spec list": "spec list",
    "spec show": "spec show nightly",
    "spec pause": "spec pause nightly",
    "spec resume": "spec resume nightly",
    "spec delete": "spec delete nightly --yes",
    "fires": "fires",
    "cancel": "cancel later",
    "retry": "retry boom",
    "dlq list": "dlq list",
    "dlq show": "dlq show boom",
    "dlq retry": "dlq retry --all",
    "dlq clear": "dlq clear --yes",
    "queue list": "queue list",
    "queue limit": "queue limit mail --running 2",
    "queue pause": "queue pause mail",
    "queue resume": "queue resume mail",
    "queue clear": "queue clear mail --yes",
    "purge": "purge --yes",
    "notify test": "notify test http://127.0.0.1:1/",
    "notify send": "notify send",
    "config get": "config get",
    "config set": "config set max-retries 5",
    "config list": "config list",
    "config show": "config show",
    "config unset": "config unset max-retries",
    "config reset": "config reset --yes",
    "backup": "backup copy.db",
    "doctor": "doctor",
    "completion bash": "completion bash",
    "completion zsh": "completion zsh",
    "completion fish": "completion fish",
}
ENDLESS = {"dashboard"}
"""Serves until it is told to end: tests/web/test_serving.py and section J."""
OPEN_NO_QUEUE = {
    "validate": "jobs.d",
    "schema": None,
    "notify test": None,
    "notify send": None,
    "completion bash": None,
    "completion zsh": None,
    "completion fish": None,
}
"""Commands that do without, and what they read instead."""


def live_in(queuectl: Queuectl) -> Path:
    """Make a queue with something of everything; return its folder.

    Job 1 (`hello`) completed, 2 (`boom`) is dead, 3 (`later`) is scheduled in the queue `mail`, 4 (`after`) needs
    the first and is pending in the queue `none`, and the spec `nightly` of the source `jobs` has a schedule.
    """
    jobs = [
        {"command": "echo hello", "key": "hello"},
        {"command": "echo doomed; exit 3", "key": "boom", "max_retries": 0},
        {"command": "true", "key": "later", "queue": "mail", "run_at": "2999-01-01T00:00:00Z"},
    ]
    queuectl("enqueue", "-", stdin="\n".join(map(json.dumps, jobs)))
    queuectl.spec("nightly", 'command: echo nightly\nschedule: "0 4 * * *"\n')
    queuectl("apply", "jobs.d", "--source", "jobs")
    queuectl("run", "--until-idle", code=1)
    queuectl("enqueue", "true", "--needs", "hello", "--key", "after", "--queue", "none")
    return queuectl.folder
