"""The configuration: every key, what it means, and its default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from queuectl.model.hook import Hook
from queuectl.model.spec import Keep, NoLimit

DAY_MS = 86_400_000

Kind = Literal[
    "count",
    "factor",
    "share",
    "duration",
    "duration or zero",
    "duration or none",
    "size",
    "zone",
    "keep",
    "path",
    "level",
    "hook",
]


class Key(msgspec.Struct, frozen=True):
    """What a key is."""

    kind: Kind
    """How its value is written."""
    meaning: str


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Effective configuration. Field names are the keys with `_` for `-`; durations are milliseconds."""

    max_retries: int = 3
    backoff_base: int = 2_000
    backoff_factor: float = 2.0
    backoff_max: int = 3_600_000
    backoff_jitter: float = 0.1
    default_timeout: int | NoLimit = 3_600_000
    kill_after: int = 10_000
    stop_grace: int | NoLimit = "none"
    timezone: str = "UTC"
    heartbeat: int = 5_000
    lease: int = 30_000
    poll_interval: int = 1_000
    max_log: int = 64 * 1024 * 1024
    keep_completed: Keep = Keep(for_ms=7 * DAY_MS)
    keep_dead: Keep = Keep(for_ms=90 * DAY_MS)
    keep_cancelled: Keep = Keep(for_ms=7 * DAY_MS)
    keep_fires: Keep = Keep(for_ms=30 * DAY_MS)
    log_dir: str | None = None
    log_level: str = "info"
    log_file: str | None = None
    durability: str = "full"
    on_dead: Hook | None = None


KEYS: Mapping[str, Key] = {
    "max_retries": Key("count", "extra attempts after the first"),
    "backoff_base": Key("duration", "delay before the first retry"),
    "backoff_factor": Key("factor", "each further delay is this many times the one before"),
    "backoff_max": Key("duration", "no delay is longer"),
    "backoff_jitter": Key("share", "share of a delay by which it is moved at random"),
    "default_timeout": Key("duration or none", "how long an attempt may take"),
    "kill_after": Key("duration or zero", "from SIGTERM to SIGKILL"),
    "stop_grace": Key("duration or none", "how long a stop waits for running attempts"),
    "timezone": Key("zone", "of schedules and run_at that name none"),
    "heartbeat": Key("duration", "how often a worker shows that it lives"),
    "lease": Key("duration", "silence after which a worker is held for dead"),
    "poll_interval": Key("duration", "longest sleep between two looks at the queue"),
    "max_log": Key("size", "output kept of one attempt"),
    "keep_completed": Key("keep", "completed jobs: an age or a count"),
    "keep_dead": Key("keep", "dead jobs: an age or a count"),
    "keep_cancelled": Key("keep", "cancelled jobs: an age or a count"),
    "keep_fires": Key("keep", "rows of the ledger of fires: an age or a count"),
    "log_dir": Key("path", "long outputs of attempts; default: beside the database"),
    "log_level": Key("level", "of the run's own log: debug, info, warning, error"),
    "log_file": Key("path", "the run's own log; default: stderr"),
    "on_dead": Key("hook", "called when a job dies whose spec has no on_dead: a command, or a URL to notify"),
    "durability": Key("level", "full: on disk before it is acknowledged; normal: faster on slow disks"),
}
"""What each field of the configuration is, in the order of the documentation."""
