"""Metrics: what a monitoring system is told of the queue. All of it is read from the store each time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate

import msgspec

from queuectl.model.count import ENDLESS, BucketCount, EndedCount
from queuectl.model.states import JobState, Outcome
from queuectl.model.version import VERSION
from queuectl.model.worker import QueueInfo
from queuectl.rules.buckets import TOOK_MS, WAITED_MS
from queuectl.service.context import Context
from queuectl.service.workers import SeenWorker, list_workers
from queuectl.store.migrations import LATEST


class Histogram(msgspec.Struct, frozen=True, kw_only=True):
    """How durations are spread."""

    buckets: Sequence[tuple[int, int]]
    """Ends in ms, and how many are not longer; the last end is ENDLESS."""
    sum_ms: int


class Metrics(msgspec.Struct, frozen=True, kw_only=True):
    """The queue at an instant, and what has happened in it ever."""

    jobs: Mapping[str, Mapping[JobState, int]]
    """By queue; all states are there."""
    attempts: Mapping[tuple[str, str], int]
    """By spec, '' for ad-hoc jobs, and outcome."""
    took: Mapping[str, Histogram]
    """Attempts by queue: how long they ran."""
    waited: Mapping[str, Histogram]
    """And before that, since the job was due or its attempt before had ended."""
    last_success: Mapping[str, int]
    """By spec."""
    next_fire: Mapping[str, int]
    oldest_pending_ms: int
    """0 where nothing is pending."""
    queues: Sequence[QueueInfo]
    workers: Sequence[SeenWorker]
    version: str = VERSION
    schema: int = LATEST


def metrics(ctx: Context) -> Metrics:
    """Return what there is to tell."""
    store, now = ctx.store, ctx.now()
    oldest = store.jobs.oldest_pending()
    counts = store.counters.attempts()
    queues = store.queues.list()
    jobs = store.counters.jobs()
    return Metrics(
        jobs={
            queue.name: {state: jobs.get((queue.name, state), 0) for state in JobState} for queue in queues
        },
        attempts=_summed(counts),
        took=_histograms(store.counters.durations(), TOOK_MS),
        waited=_histograms(store.counters.waits(), WAITED_MS),
        last_success=_last_success(counts),
        next_fire=store.counters.next_fires(),
        oldest_pending_ms=0 if oldest is None else max(0, now - oldest),
        queues=queues,
        workers=list_workers(ctx),
    )


def _summed(counts: Iterable[EndedCount]) -> Mapping[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = defaultdict(int)
    for one in counts:
        found[one.spec, one.outcome] += one.attempts
    return found


def _last_success(counts: Iterable[EndedCount]) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for one in counts:
        if one.spec and one.outcome == Outcome.SUCCEEDED and one.last_at > found.get(one.spec, 0):
            found[one.spec] = one.last_at
    return found


def _histograms(counted: Iterable[BucketCount], ends: Sequence[int]) -> Mapping[str, Histogram]:
    counts: dict[str, dict[int, int]] = defaultdict(lambda: dict.fromkeys((*ends, ENDLESS), 0))
    sums: dict[str, int] = defaultdict(int)
    for one in counted:
        found = counts[one.queue]
        found[one.le] = found.get(one.le, 0) + one.attempts
        sums[one.queue] += one.ms
    return {
        queue: Histogram(
            buckets=list(zip(sorted(found), accumulate(found[end] for end in sorted(found)), strict=True)),
            sum_ms=sums[queue],
        )
        for queue, found in counts.items()
    }
