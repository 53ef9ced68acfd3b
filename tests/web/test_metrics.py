"""What a monitoring system is told, and whether the dashboard is well."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from queuectl.model.job import Job
from queuectl.model.states import JobState, Outcome
from queuectl.service import jobs, specs
from queuectl.service.context import Context
from tests.command import Queuectl
from tests.service.applying import apply_files
from tests.store.conftest import Bench
from tests.store.flow import Flow
from tests.web.conftest import Server

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
MONITORING = Path(__file__).parents[2] / "examples" / "monitoring"
Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


def scraped(client: httpx.Client) -> Samples:
    """Every sample, in both formats the same."""
    text = client.get("/metrics")
    assert text.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert text.headers["x-content-type-options"] == "nosniff"
    found = {
        (one.name, frozenset(one.labels.items())): one.value
        for family in parse_text(text.text)
        for one in family.samples
    }
    other = client.get("/metrics", headers={"accept": OPENMETRICS})
    assert other.headers["content-type"].startswith("application/openmetrics-text")
    names = {one.name for family in parse_openmetrics(other.text) for one in family.samples}
    assert names == {name for name, _ in found}
    return found


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


def end(bench: Bench, job: Job, outcome: Outcome, state: JobState, *, now: int, **more: Any) -> None:
    assert bench.finish(job, state, outcome=outcome, now=now, **more)


def test_jobs_by_queue_and_state(client: httpx.Client, bench: Bench) -> None:
    for state in JobState:
        bench.in_state(state, queue="mail")
    bench.in_state(JobState.COMPLETED)
    found = scraped(client)
    assert {value(found, "queuectl_jobs", queue="mail", state=state) for state in JobState} == {1}
    assert value(found, "queuectl_jobs", queue="default", state="completed") == 1
    assert value(found, "queuectl_jobs", queue="default", state="dead") == 0


def test_how_long_attempts_waited_and_ran(client: httpx.Client, bench: Bench) -> None:
    bench.enqueue(now=1000)
    (job,) = bench.claim(now=3_500)
    end(bench, job, Outcome.SUCCEEDED, JobState.COMPLETED, now=10_500)
    found = scraped(client)
    for name, ms in (("queuectl_queue_wait_seconds", 2_500), ("queuectl_attempt_duration_seconds", 7_000)):
        assert value(found, f"{name}_count", queue="default") == 1
        assert value(found, f"{name}_sum", queue="default") == ms / 1000
        buckets = {
            float(dict(labels)["le"]): count
            for (one, labels), count in found.items()
            if one == f"{name}_bucket"
        }
        assert {le: count for le, count in buckets.items() if count} == {
            le: 1 for le in buckets if le >= ms / 1000
        }
        assert float("inf") in buckets


def test_an_attempt_waits_from_where_the_one_before_ended(client: httpx.Client, bench: Bench) -> None:
    bench.enqueue(now=1000)
    (job,) = bench.claim(now=1000)
    end(bench, job, Outcome.INTERRUPTED, JobState.PENDING, now=5_001_000)
    (job,) = bench.claim(now=5_003_000)
    end(bench, job, Outcome.SUCCEEDED, JobState.COMPLETED, now=5_003_000)
    assert value(scraped(client), "queuectl_queue_wait_seconds_sum", queue="default") == 2


def test_a_job_of_a_flow_waits_from_where_its_needs_are_met(
    client: httpx.Client, ctx: Context, bench: Bench
) -> None:
    flow = Flow(ctx.store)
    first = flow.job()
    second = flow.job(first)
    flow.run(first, now=9_000_000)
    assert bench.now(second).state is JobState.PENDING
    flow.run(second, now=9_004_000)
    # the first waited since 1 s
    assert value(scraped(client), "queuectl_queue_wait_seconds_sum", queue="default") == 8_999 + 4


def test_counters_never_fall(queuectl: Queuectl, client: httpx.Client, ctx: Context, bench: Bench) -> None:
    bench.in_state(JobState.COMPLETED, spec="nightly")
    bench.in_state(JobState.DEAD, spec="nightly")
    bench.in_state(JobState.COMPLETED)
    before = scraped(client)
    assert value(before, "queuectl_attempts_total", spec="nightly", outcome="succeeded") == 1
    assert value(before, "queuectl_attempts_total", spec="nightly", outcome="failed") == 1
    assert value(before, "queuectl_attempts_total", spec="", outcome="succeeded") == 1
    assert jobs.purge(ctx, [JobState.COMPLETED, JobState.DEAD]) == 3
    after = scraped(client)
    rising = re.compile(".*(_total|_bucket|_sum|_count)")
    assert {key: n for key, n in after.items() if rising.fullmatch(key[0])} == {
        key: n for key, n in before.items() if rising.fullmatch(key[0])
    }
    assert value(after, "queuectl_jobs", queue="default", state="completed") == 0


def test_a_late_finisher_is_not_counted(client: httpx.Client, bench: Bench) -> None:
    bench.enqueue()
    (job,) = bench.claim()
    end(bench, job, Outcome.LOST, JobState.PENDING, now=2000)
    assert not bench.finish(job, now=3000)
    found = scraped(client)
    assert value(found, "queuectl_attempts_total", spec="", outcome="lost") == 1
    assert value(found, "queuectl_attempt_duration_seconds_count", queue="default") == 1


def test_specs(client: httpx.Client, ctx: Context, bench: Bench, tmp_path: Path) -> None:
    text = "command: x\nschedule: '0 2 * * *'\n"
    apply_files(
        ctx, tmp_path / "d", {"on.yaml": text, "off.yaml": text, "held.yaml": text + "paused: true\n"}
    )
    specs.pause(ctx, "off")
    for now, state in ((5_000, JobState.COMPLETED), (9_000, JobState.COMPLETED), (20_000, JobState.DEAD)):
        bench.in_state(state, spec="on", now=now)
    found = scraped(client)
    assert value(found, "queuectl_spec_last_success_timestamp_seconds", spec="on") == 9
    stored = specs.get_spec(ctx, "on")
    assert stored.next_fire_at
    coming = {
        labels: at for (name, labels), at in found.items() if name.startswith("queuectl_spec_next_fire")
    }
    assert coming == {frozenset({("spec", "on")}): stored.next_fire_at / 1000}


def test_what_waits_and_who_works(client: httpx.Client, ctx: Context, bench: Bench) -> None:
    assert value(scraped(client), "queuectl_oldest_pending_age_seconds") == 0
    bench.processing(worker="w1")
    bench.enqueue(now=ctx.now() - 3_600_000)
    register = ctx.store.workers.register
    register(worker="w1", host="far", pid=1, pid_mark="1", slots=4, queues=(), now=ctx.now())
    register(worker="w2", host="far", pid=2, pid_mark="2", slots=3, queues=(), now=ctx.now())
    ctx.store.workers.pause("w2", now=ctx.now())
    ctx.store.queues.pause("mail", who="ada", now=1, reason=None)
    found = scraped(client)
    assert 3_600 <= value(found, "queuectl_oldest_pending_age_seconds") < 4_000
    assert (value(found, "queuectl_slots"), value(found, "queuectl_slots_busy")) == (7, 1)
    assert value(found, "queuectl_workers", condition="running") == 1
    assert value(found, "queuectl_workers", condition="paused") == 1
    assert value(found, "queuectl_queue_paused", queue="mail") == 1
    assert value(found, "queuectl_queue_paused", queue="default") == 0


def test_the_version(client: httpx.Client) -> None:
    from queuectl.model.version import VERSION
    from queuectl.store.migrations import LATEST

    assert value(scraped(client), "queuectl_info", version=VERSION, schema=str(LATEST)) == 1


@pytest.mark.parametrize(
    "accept", ["application/openmetrics-text; version=new", "text/plain; version=new", ";"]
)
def test_a_format_that_nobody_knows_is_the_plain_one(client: httpx.Client, accept: str) -> None:
    answer = client.get("/metrics", headers={"accept": accept})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")


def test_a_real_run_scraped_from_any_process(queuectl: Queuectl, server: Server) -> None:
    queuectl("enqueue", "true")
    queuectl("enqueue", "exit 3", "--max-retries", "1")
    queuectl("run", "--until-idle", code=1)
    other = Server(queuectl)
    try:
        for one in (server, other):
            with one.client() as client:
                found = scraped(client)
            assert value(found, "queuectl_attempts_total", spec="", outcome="succeeded") == 1
            assert value(found, "queuectl_attempts_total", spec="", outcome="failed") == 2
            assert value(found, "queuectl_queue_wait_seconds_count", queue="default") == 3
    finally:
        other.stop()


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/readyz"])
def test_nothing_without_a_token(
    client: httpx.Client, reader: httpx.Client, stranger: httpx.Client, path: str
) -> None:
    assert [one.get(path).status_code for one in (client, reader, stranger)] == [200, 200, 401]


def test_health(client: httpx.Client, queuectl: Queuectl) -> None:
    assert (client.get("/readyz").text, client.head("/readyz").status_code) == ("ready\n", 200)
    for file in queuectl.folder.glob("q.db*"):
        file.unlink()
    assert client.get("/healthz").text == "ok\n"
    assert client.get("/readyz").status_code == 503
    assert "there is no queue" in client.get("/metrics").json()["detail"]


class TestExamples:
    def test_every_metric_that_they_name_exists(self, client: httpx.Client, bench: Bench) -> None:
        bench.in_state(JobState.COMPLETED, spec="s")
        known = {name for name, _ in scraped(client)} | {"queuectl_spec_next_fire_timestamp_seconds"}
        for name in ("grafana-dashboard.json", "alerts.yaml"):
            named = set(re.findall(r"\bqueuectl_\w+", (MONITORING / name).read_text()))
            assert named, name
            assert named <= known, name

    def test_the_rules_say_when_and_what(self) -> None:
        groups = yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        assert len({rule["alert"] for rule in rules}) == len(rules) >= 5
        for rule in rules:
            assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
            assert set(rule["annotations"]) == {"summary", "description"}

    def test_the_dashboard_has_a_question_in_each_panel(self) -> None:
        board = json.loads((MONITORING / "grafana-dashboard.json").read_text())
        panels = [panel for panel in board["panels"] if panel["type"] != "row"]
        assert len({panel["id"] for panel in panels}) == len(panels) >= 8
        for panel in panels:
            assert panel["title"]
            assert all(target["expr"] for target in panel["targets"])
            assert panel["targets"]

    def test_the_readme_is_short(self) -> None:
        lines = [line for line in (MONITORING / "README.md").read_text().splitlines() if line.strip()]
        assert len(lines) <= 20
