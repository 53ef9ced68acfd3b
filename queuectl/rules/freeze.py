"""What a job carries: its spec with every default filled in, so that later changes don't reach it by themselves."""

from __future__ import annotations

from msgspec.structs import replace

from queuectl.model.config import Config
from queuectl.model.spec import Backoff, JobSpec


def freeze(spec: JobSpec, config: Config) -> JobSpec:
    """Return the spec with the configured defaults where it says nothing itself."""
    backoff = spec.backoff
    return replace(
        spec,
        retries=config.max_retries if spec.retries is None else spec.retries,
        timeout_ms=config.default_timeout if spec.timeout_ms is None else spec.timeout_ms,
        kill_after_ms=config.kill_after if spec.kill_after_ms is None else spec.kill_after_ms,
        max_log_bytes=config.max_log if spec.max_log_bytes is None else spec.max_log_bytes,
        backoff=Backoff(
            base_ms=config.backoff_base if backoff.base_ms is None else backoff.base_ms,
            factor=config.backoff_factor if backoff.factor is None else backoff.factor,
            max_ms=config.backoff_max if backoff.max_ms is None else backoff.max_ms,
            jitter=config.backoff_jitter if backoff.jitter is None else backoff.jitter,
        ),
    )
