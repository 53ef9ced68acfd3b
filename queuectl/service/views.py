"""The JSON shapes: what `-o json` and the API show. Stable: fields are added, never renamed.

Instants are ISO 8601 in UTC or null; durations and sizes inside a spec are written as in its file;
values of environment variables are masked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from queuectl.model.env import EnvRef
from queuectl.model.fire import Fire, StoredSpec
from queuectl.model.flow import JobNeed
from queuectl.model.hook import Hooks
from queuectl.model.job import Attempt, Job
from queuectl.model.spec import MASK, Backoff, ExitCodes, JobSpec, Keep, Limits, Schedule, schedule_zone
from queuectl.model.states import JobState
from queuectl.model.worker import QueueInfo
from queuectl.rules.hooks import shown
from queuectl.rules.instants import format_local
from queuectl.rules.rates import format_rate
from queuectl.rules.shapes import attempt_view, instant, job_view
from queuectl.rules.units import format_duration, format_size, parse_size

if TYPE_CHECKING:
    from queuectl.rules.plan import Plan
    from queuectl.service.backfill import Backfill
    from queuectl.service.doctor import Finding
    from queuectl.service.flows import Flow
    from queuectl.service.settings import Setting
    from queuectl.service.status import Status
    from queuectl.service.workers import SeenWorker

View = dict[str, Any]


def job_detail(job: Job, attempts: Sequence[Attempt]) -> View:
    """Show everything of a job but the output of its attempts."""
    return {
        **job_view(job),
        "spec_version": job.spec_version,
        "losses": job.losses,
        "expires_at": instant(job.expires_at),
        "cancel_requested_at": instant(job.cancel_requested_at),
        **_how(job.frozen),
        "outputs": dict(job.said.outputs) if job.said else {},
        "progress": job.said.progress if job.said else None,
        "summary": job.said.summary if job.said else None,
        "attempts": [attempt_view(attempt) for attempt in attempts],
    }


def flow_view(flow: Flow) -> View:
    """Show a flow; each job with what it needs."""
    return {
        "id": flow.id,
        "took_ms": flow.took_ms,
        "critical_path": list(flow.critical_path),
        "jobs": [
            {
                **job_view(job),
                "started_at": instant(flow.times[job.id].started_at) if job.id in flow.times else None,
                "took_ms": flow.times[job.id].took_ms if job.id in flow.times else None,
                "needs": [need_view(need) for need in flow.needs.get(job.id, ())],
            }
            for job in flow.jobs
        ],
    }


def need_view(need: JobNeed) -> View:
    """Show what a job needs; `job` is null as long as the next job of `spec` isn't made."""
    return {"job": need.needs_id, "spec": need.spec, "on": need.ends, "met": need.met}


def spec_view(stored: StoredSpec, *, zone: str) -> View:
    """Show a spec in a list. `zone` is the configured time zone."""
    spec = stored.spec
    return {
        "name": stored.name,
        "source": stored.source,
        "file": stored.file,
        "version": stored.version,
        "schedule": _schedule(spec.schedule),
        "timezone": schedule_zone(spec, zone),
        "next_fire_at": instant(stored.next_fire_at),
        "last_fire_at": instant(stored.last_fire_at),
        "paused": stored.paused,
        "pause_reason": stored.pause_reason,
        "command": spec.command,
        "description": spec.description,
        "queue": spec.queue,
        "priority": spec.priority,
        "orphaned": stored.orphaned,
        "damaged": stored.damage is not None,
    }


def spec_detail(stored: StoredSpec, *, zone: str) -> View:
    """Show everything of a spec. Null is what the configuration decides when a job is made."""
    return {
        **spec_view(stored, zone=zone),
        "run_at": instant(stored.spec.run_at_ms),
        "retries": stored.spec.retries,
        **_how(stored.spec),
        "created_at": instant(stored.created_at),
        "updated_at": instant(stored.updated_at),
        "paused_at": instant(stored.paused_at),
        "paused_by": stored.paused_by,
        "pruned_at": instant(stored.pruned_at),
        "last_job_id": stored.last_job_id,
    }


def fire_view(fire: Fire) -> View:
    """Show a row of the ledger; `until` and `count` tell a stretch of due instants."""
    return {
        "spec": fire.spec,
        "due_at": instant(fire.due_at),
        "outcome": fire.outcome,
        "job_id": fire.job_id,
        "reason": fire.reason,
        "until": instant(fire.until),
        "count": fire.count,
    }


def backfill_view(found: Backfill) -> View:
    """Show a backfill; a dry run has no job ids."""
    return {
        "spec": found.spec,
        "due_at": [instant(at) for at in found.due],
        "job_ids": list(found.job_ids),
        "ran": [instant(at) for at in found.ran],
    }


def coming_view(spec: str, due_at: int, zone: str) -> View:
    """Show a fire that is to come, also in the local time of the spec."""
    return {"spec": spec, "due_at": instant(due_at), "local": format_local(due_at, zone)}


def worker_view(seen: SeenWorker) -> View:
    """Show a worker."""
    worker = seen.worker
    return {
        "id": worker.id,
        "host": worker.host,
        "pid": worker.pid,
        "condition": seen.condition,
        "slots": worker.slots,
        "running": worker.running,
        "queues": list(worker.queues),
        "started_at": instant(worker.started_at),
        "beat_at": instant(worker.beat_at),
        "paused": worker.paused_at is not None,
        "stop": worker.stop,
    }


def queue_view(queue: QueueInfo) -> View:
    """Show a queue."""
    return {
        "name": queue.name,
        "waiting": queue.waiting,
        "processing": queue.processing,
        "paused": queue.paused_at is not None,
        "paused_at": instant(queue.paused_at),
        "paused_by": queue.paused_by,
        "pause_reason": queue.pause_reason,
        "running_limit": queue.running_limit,
        "rate": None if queue.interval_us is None else format_rate(queue.interval_us),
    }


def status_view(status: Status) -> View:
    """Show the queue at a glance."""
    average = status.avg_duration_ms
    return {
        "jobs": {"total": status.total, **{state.value: status.jobs[state] for state in JobState}},
        "success_rate": None if status.success_rate is None else round(status.success_rate, 4),
        "avg_duration_ms": None if average is None else round(average, 1),
        "oldest_pending_s": status.oldest_pending_s,
        "workers": [worker_view(seen) for seen in status.workers],
        "next_fires": [
            coming_view(stored.name, stored.next_due_at, schedule_zone(stored.spec, status.timezone))
            for stored in status.next_fires
            if stored.next_due_at is not None
        ],
    }


def apply_view(plan: Plan) -> View:
    """Show what an apply changes, or would change."""
    return {
        "source": plan.source,
        "created": [
            {
                "name": spec.name,
                "file": spec.file,
                "next_fire_at": instant(spec.next_fire_at),
                "job": spec.job_action,
            }
            for spec in plan.created
        ],
        "updated": [
            {
                "name": spec.name,
                "file": spec.file,
                "changes": [{"field": one.field, "old": one.old, "new": one.new} for one in spec.changes],
                "next_fire_at": instant(spec.next_fire_at),
                "job": spec.job_action,
            }
            for spec in plan.updated
        ],
        "unchanged": plan.unchanged,
        "orphaned": list(plan.orphaned),
        "pruned": list(plan.pruned),
        "ignored": list(plan.ignored),
        "warnings": list(plan.warnings),
    }


def finding_view(finding: Finding) -> View:
    """Show what a check of `doctor` found; `exit_code` is what a command that needs the queue ends with."""
    return {
        "check": finding.check,
        "status": finding.status,
        "found": finding.found,
        "advice": finding.advice,
        "exit_code": finding.exit_code,
    }


def setting_view(setting: Setting) -> View:
    """Show a configuration key."""
    return {
        "key": setting.key,
        "value": setting.value,
        "origin": setting.origin,
        "meaning": setting.meaning,
    }


def masked(env: Mapping[str, str | EnvRef]) -> View:
    """Show an environment: plain values masked, references as they are written in a spec."""
    return {name: MASK if isinstance(value, str) else _reference(value) for name, value in env.items()}


def _how(spec: JobSpec) -> View:
    """How the attempts of a spec or job run, in the words of a spec file."""
    return {
        "description": spec.description,
        "owner": spec.owner,
        "labels": dict(spec.labels),
        "shell": list(spec.shell) if isinstance(spec.command, str) else None,
        "cwd": spec.cwd,
        "env": masked(spec.env),
        "env_file": list(spec.env_file),
        "timeout": spec.timeout_ms if isinstance(spec.timeout_ms, str) else _duration(spec.timeout_ms),
        "kill_after": _duration(spec.kill_after_ms),
        "backoff": _backoff(spec.backoff),
        "exit_codes": _exit_codes(spec.exit_codes),
        "max_log": _size(spec.max_log_bytes),
        "needs": [{"job": need.job, "on": need.on} for need in spec.needs],
        "limits": _limits(spec.limits),
        "user": spec.user,
        **{f"on_{event}": list(map(shown, getattr(spec.hooks, event))) for event in Hooks.__struct_fields__},
        "params": {name: dict(schema) for name, schema in spec.params.items()},
        "arguments": dict(spec.arguments),
        "concurrency": spec.concurrency and msgspec.to_builtins(spec.concurrency),
        "rate": None if spec.rate_us is None else format_rate(spec.rate_us),
        "keep": {state: _keep(keep) for state, keep in spec.keep.items()},
    }


def _schedule(schedule: Schedule | None) -> str | View | None:
    """A single cron expression as itself, everything else as a mapping of what is set."""
    if schedule is None:
        return None
    if len(schedule.cron) == 1 and schedule == Schedule(cron=schedule.cron, timezone=schedule.timezone):
        return schedule.cron[0]
    shown: View = {"cron": list(schedule.cron)} if schedule.cron else {"every": _duration(schedule.every_ms)}
    default = Schedule()
    for name in ("timezone", "jitter_ms", "catch_up", "spacing_ms", "overlap", "start_within_ms"):
        value = getattr(schedule, name)
        if value != getattr(default, name):
            shown[name.removesuffix("_ms")] = _duration(value) if name.endswith("_ms") else value
    return shown


def _backoff(backoff: Backoff) -> View:
    return {
        "base": _duration(backoff.base_ms),
        "factor": backoff.factor,
        "max": _duration(backoff.max_ms),
        "jitter": backoff.jitter,
    }


def _exit_codes(codes: ExitCodes) -> View:
    shown: View = {
        meaning: [low if low == high else f"{low}-{high}" for low, high in ranges]
        for meaning, ranges in codes.rules
    }
    if "snooze" in shown:
        shown["snooze_for"] = _duration(codes.snooze_for_ms)
    return shown


def _limits(limits: Limits) -> View:
    shown = {
        "memory": _size(limits.memory_bytes),
        "cpu_time": _duration(limits.cpu_time_ms),
        "open_files": limits.open_files,
        "nice": limits.nice,
    }
    return {name: value for name, value in shown.items() if value is not None}


def _keep(keep: Keep) -> str | int | None:
    return keep.count if keep.count is not None else _duration(keep.for_ms)


def _reference(reference: EnvRef) -> View:
    fields: View = msgspec.to_builtins(reference)
    return fields


def _duration(ms: int | None) -> str | None:
    return None if ms is None else format_duration(ms)


def _size(size: int | None) -> str | int | None:
    """Exact, whatever it takes."""
    if size is None:
        return None
    text = format_size(size)
    return text if parse_size(text) == size else size
