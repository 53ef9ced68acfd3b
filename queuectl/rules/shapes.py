"""The JSON shapes of jobs and their attempts. Stable: fields are added, never renamed.

Instants are ISO 8601 in UTC or null.
"""

from __future__ import annotations

from typing import Any

from queuectl.model.job import Attempt, Job
from queuectl.rules.instants import format_instant

Shape = dict[str, Any]


def job_view(job: Job) -> Shape:
    """Show a job in a list."""
    return {
        "id": job.id,
        "key": job.key,
        "spec": job.spec,
        "command": job.frozen.command,
        "state": job.state,
        "queue": job.queue,
        "priority": job.priority,
        "attempt": job.attempt,
        "max_retries": job.max_retries,
        "run_at": instant(job.run_at),
        "created_at": instant(job.created_at),
        "updated_at": instant(job.updated_at),
        "finished_at": instant(job.finished_at),
        "fire_at": instant(job.fire_at),
        "worker": job.worker,
        "exit_code": job.exit_code,
        "failures": job.failures,
        "reason": job.reason,
        "flow": job.flow,
    }


def attempt_view(attempt: Attempt) -> Shape:
    """Show an attempt."""
    return {
        "number": attempt.number,
        "outcome": attempt.outcome,
        "exit_code": attempt.exit_code,
        "signal": attempt.signal,
        "error": attempt.error,
        "started_at": instant(attempt.started_at),
        "finished_at": instant(attempt.finished_at),
        "duration_ms": attempt.duration_ms,
        "pid": attempt.pid,
        "worker": attempt.worker,
        "host": attempt.host,
        "output_bytes": attempt.output_bytes,
        "truncated": attempt.truncated,
        "cpu_ms": attempt.cpu_ms,
        "max_rss_kib": attempt.max_rss_kib,
    }


def instant(ms: int | None) -> str | None:
    """Write an instant."""
    return None if ms is None else format_instant(ms)
