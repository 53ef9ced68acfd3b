"""Forget history that is past what is kept, a few rows at a time, so that nothing waits for it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from queuectl.model.config import Config
from queuectl.model.states import JobState
from queuectl.store.store import Store

STEP = 200
"""Rows forgotten in one step at most."""


def forget_some(store: Store, config: Config, log_dir: Path, *, now: int) -> bool:
    """Forget up to STEP rows of each kind. Returns whether there may be more."""
    with store.transaction():
        job_ids = _past_keeping(store, config, now)
        of_specs, more_specs = _past_keeping_of_specs(store)
        store.jobs.leave_behind([*job_ids, *of_specs], now=now)
        _, files = store.history.forget([*job_ids, *of_specs])
        fires = store.history.forget_fires(config.keep_fires, now=now, limit=STEP)
        store.minutes.forget(now=now)
    for name in files:
        with suppress(OSError):
            (log_dir / Path(name).name).unlink()
    return more_specs or max(len(job_ids), len(of_specs), fires) >= STEP


def _past_keeping(store: Store, config: Config, now: int) -> Sequence[int]:
    found = list(store.history.overdue(now=now, limit=STEP))
    for state, keep in (
        (JobState.COMPLETED, config.keep_completed),
        (JobState.DEAD, config.keep_dead),
        (JobState.CANCELLED, config.keep_cancelled),
    ):
        found += store.history.beyond(state, keep, now=now, limit=STEP)
    return found


def _past_keeping_of_specs(store: Store) -> tuple[Sequence[int], bool]:
    """Return what some of the specs keep no more, and whether there are specs that were not looked at."""
    counted, more = store.history.counted(limit=STEP)
    found: list[int] = []
    for spec, state, count in counted:
        if len(found) < STEP:
            found += store.history.beyond_count_of_spec(spec, state, count=count, limit=STEP - len(found))
    return found, more
