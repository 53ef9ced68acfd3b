"""The configuration: every key, what it means, and its default."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from queuectl.model.spec import Keep, NoLimit

DAY_MS = 86_400_000

Kind = Literal[
    "count", "factor", "share", "duration", "duration or none", "size", "zone", "keep", "path", "level"
]


def _key(kind: Kind, default: Any, meaning: str) -> Any:
    return field(default=default, metadata={"kind": kind, "meaning": meaning})


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Effective configuration. Field names are the keys with `_` for `-`; durations are milliseconds."""

    max_retries: int = _key("count", 3, "extra attempts after the first")
    backoff_base: int = _key("duration", 2_000, "delay before the first retry")
    backoff_factor: float = _key("factor", 2.0, "each further delay is this many times the one before")
    backoff_max: int = _key("duration", 3_600_000, "no delay is longer")
    backoff_jitter: float = _key("share", 0.1, "share of a delay by which it is moved at random")
    default_timeout: int | NoLimit = _key("duration or none", 3_600_000, "how long an attempt may take")
    kill_after: int = _key("duration", 10_000, "from SIGTERM to SIGKILL")
    stop_grace: int | NoLimit = _key("duration or none", "none", "how long a stop waits for running attempts")
    timezone: str = _key("zone", "UTC", "of schedules and run_at that name none")
    heartbeat: int = _key("duration", 5_000, "how often a worker shows that it lives")
    lease: int = _key("duration", 30_000, "silence after which a worker is held for dead")
    poll_interval: int = _key("duration", 1_000, "longest sleep between two looks at the queue")
    max_log: int = _key("size", 64 * 1024 * 1024, "output kept of one attempt")
    keep_completed: Keep = _key("keep", Keep(for_ms=7 * DAY_MS), "completed jobs: an age or a count")
    keep_dead: Keep = _key("keep", Keep(for_ms=90 * DAY_MS), "dead jobs: an age or a count")
    keep_cancelled: Keep = _key("keep", Keep(for_ms=7 * DAY_MS), "cancelled jobs: an age or a count")
    keep_fires: Keep = _key(
        "keep", Keep(for_ms=30 * DAY_MS), "rows of the ledger of fires: an age or a count"
    )
    log_dir: str | None = _key("path", None, "long outputs of attempts; default: beside the database")
    log_level: str = _key("level", "info", "of the run's own log: debug, info, warning, error")
    log_file: str | None = _key("path", None, "the run's own log; default: stderr")
    durability: str = _key(
        "level", "full", "full: on disk before it is acknowledged; normal: faster on slow disks"
    )
