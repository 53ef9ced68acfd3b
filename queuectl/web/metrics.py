"""Metrics, as Prometheus and OpenMetrics have them: read from the queue at each scrape, nothing is kept here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from fastapi import APIRouter, Request
from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.responses import Response

from queuectl.model.count import ENDLESS
from queuectl.service.metrics import Histogram, Metrics, metrics
from queuectl.web.asking import Queue

router = APIRouter()

CONDITIONS = ("running", "paused", "stopping", "silent", "dead")


@router.get("/metrics", include_in_schema=False)
def scrape(request: Request, ctx: Queue) -> Response:
    """Tell all, in the format that is asked for."""
    registry = CollectorRegistry()
    registry.register(QueueCollector(metrics(ctx)))
    encode, kind = _encoder(request.headers.get("accept", ""))
    return Response(encode(registry), headers={"content-type": kind})


class QueueCollector(Collector):
    """Turns what is known of a queue at one instant into metrics."""

    def __init__(self, found: Metrics) -> None:
        self._found = found

    def describe(self) -> Iterator[Metric]:
        """Nothing is claimed for other collectors: there are none."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        found = self._found
        yield InfoMetricFamily(
            "queuectl",
            "Version of queuectl, and of the schema that it reads and writes.",
            {"version": found.version, "schema": str(found.schema)},
        )
        yield from _of_queues(found)
        yield from _of_attempts(found)
        yield from _of_specs(found)
        yield from _of_workers(found)


def _encoder(accept: str) -> tuple[Callable[[CollectorRegistry], bytes], str]:
    """Return what writes the format that is asked for; the plain one where that is nothing to understand."""
    try:
        return choose_encoder(accept)
    except (TypeError, ValueError):  # a version that is no number
        return choose_encoder("")


def _of_queues(found: Metrics) -> Iterator[Metric]:
    jobs = GaugeMetricFamily("queuectl_jobs", "Jobs there are.", labels=("queue", "state"))
    for queue, states in found.jobs.items():
        for state, count in states.items():
            jobs.add_metric((queue, state), count)
    yield jobs
    paused = GaugeMetricFamily("queuectl_queue_paused", "1 where a queue is paused.", labels=("queue",))
    for one in found.queues:
        paused.add_metric((one.name,), int(one.paused_at is not None))
    yield paused
    yield GaugeMetricFamily(
        "queuectl_oldest_pending_age_seconds",
        "For how long the pending job that waits longest could have run already; 0 where none is pending.",
        value=found.oldest_pending_ms / 1000,
    )


def _of_attempts(found: Metrics) -> Iterator[Metric]:
    attempts = CounterMetricFamily(
        "queuectl_attempts",
        "Attempts that have ended; without a spec: of ad-hoc jobs.",
        labels=("spec", "outcome"),
    )
    for (spec, outcome), count in found.attempts.items():
        attempts.add_metric((spec, outcome), count)
    yield attempts
    yield _histogram("queuectl_attempt_duration_seconds", "How long attempts ran.", found.took)
    yield _histogram(
        "queuectl_queue_wait_seconds",
        "From when a job was due, or its attempt before had ended, until an attempt began.",
        found.waited,
    )


def _of_specs(found: Metrics) -> Iterator[Metric]:
    last = GaugeMetricFamily(
        "queuectl_spec_last_success_timestamp_seconds",
        "When an attempt of a spec last succeeded.",
        labels=("spec",),
    )
    for spec, at in found.last_success.items():
        last.add_metric((spec,), at / 1000)
    yield last
    coming = GaugeMetricFamily(
        "queuectl_spec_next_fire_timestamp_seconds",
        "When the schedule of a spec makes its next job; paused ones are left out.",
        labels=("spec",),
    )
    for spec, at in found.next_fire.items():
        coming.add_metric((spec,), at / 1000)
    yield coming


def _of_workers(found: Metrics) -> Iterator[Metric]:
    workers = GaugeMetricFamily("queuectl_workers", "Registered workers.", labels=("condition",))
    for condition in CONDITIONS:
        workers.add_metric((condition,), sum(seen.condition == condition for seen in found.workers))
    yield workers
    alive = [seen.worker for seen in found.workers if seen.condition != "dead"]
    slots = sum(worker.slots for worker in alive)
    busy = sum(worker.running for worker in alive)
    yield GaugeMetricFamily("queuectl_slots", "How many jobs the workers can run at once.", value=slots)
    yield GaugeMetricFamily("queuectl_slots_busy", "How many of them run one.", value=busy)


def _histogram(name: str, what: str, histograms: Mapping[str, Histogram]) -> Metric:
    family = HistogramMetricFamily(name, what, labels=("queue",))
    for queue, one in histograms.items():
        family.add_metric(
            (queue,), [(_le(end), count) for end, count in one.buckets], sum_value=one.sum_ms / 1000
        )
    return family


def _le(end: int) -> str:
    return "+Inf" if end == ENDLESS else str(end / 1000)
