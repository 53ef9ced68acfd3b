from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from queuectl.model.states import JobState
from queuectl.service import specs
from queuectl.service.context import Context
from queuectl.service.records import history, record_of, records, spec_page
from tests.service.applying import apply_files
from tests.service.conftest import Clock
from tests.store.conftest import Bench

SCHEDULED = "command: 'true'\nschedule: '0 * * * *'"


@pytest.fixture
def bench(ctx: Context) -> Bench:
    return Bench(ctx.store)


def names(ctx: Context, **asked: object) -> list[str]:
    wanted = {"after": "", "limit": 50, "text": None, "kind": None} | asked
    return [stored.name for stored in spec_page(ctx, **wanted).specs]  # type: ignore[arg-type]


class TestPage:
    @pytest.fixture(autouse=True)
    def applied(self, ctx: Context, tmp_path: Path) -> None:
        apply_files(
            ctx,
            tmp_path / "jobs.d",
            {
                "a_b.yaml": "command: pg_dump main\ndescription: The Night",
                "axb.yaml": SCHEDULED + "\nlabels: {paused: 'true'}",
                "b.yaml": SCHEDULED,
                "c.yaml": SCHEDULED + "\npaused: true",
                "sub/d.yaml": "command: [echo, 'say \"paused\":true']",
            },
        )

    def test_by_name_page_by_page(self, ctx: Context) -> None:
        first = spec_page(ctx, after="", limit=2, text=None, kind=None)
        assert [one.name for one in first.specs] == ["a_b", "axb"]
        assert first.go_on_after == "axb"
        last = spec_page(ctx, after="c", limit=2, text=None, kind=None)
        assert ([one.name for one in last.specs], last.go_on_after) == (["d"], None)
        assert (first.counts.specs, first.counts.scheduled, first.counts.paused) == (5, 3, 1)

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("A_B", ["a_b"]),
            ("%", []),
            ("night", ["a_b"]),
            ("PG_dump", ["a_b"]),
            ("sub/", ["d"]),
            ("say", ["d"]),
            ("schedule", []),
        ],
    )
    def test_with_a_text_in_what_people_know_them_by(self, ctx: Context, text: str, found: list[str]) -> None:
        assert names(ctx, text=text) == found

    def test_of_a_kind(self, ctx: Context, tmp_path: Path) -> None:
        specs.pause(ctx, "b")
        assert names(ctx, kind="paused") == ["b", "c"]
        assert names(ctx, kind="scheduled") == ["axb", "b", "c"]
        assert names(ctx, kind="orphaned") == []
        apply_files(ctx, tmp_path / "jobs.d", {"b.yaml": SCHEDULED})
        assert names(ctx, kind="orphaned") == ["a_b", "axb", "c", "d"]
        apply_files(ctx, tmp_path / "jobs.d", {"b.yaml": SCHEDULED}, prune=True)
        assert names(ctx) == ["b"]
        assert names(ctx, kind="paused") == ["b"]


class TestRecord:
    def test_the_newest_runs_of_each_spec_oldest_first(self, ctx: Context, bench: Bench) -> None:
        for state in (JobState.COMPLETED, JobState.DEAD, JobState.COMPLETED, JobState.CANCELLED):
            bench.in_state(state, spec="s")
        other = bench.in_state(JobState.FAILED, spec="t")
        running = bench.processing(spec="s", priority=1000)

        found = records(ctx, ["s", "t", "none"], limit=4)  # one of which never ran

        assert [run.state for run in found["s"].runs] == ["dead", "completed", "processing"]
        assert found["s"].runs[-1].id == running.id
        assert [run.id for run in found["t"].runs] == [other.id]
        assert found["none"].runs == []

    def test_average_and_success(self, bench: Bench, ctx: Context) -> None:
        job = bench.processing(spec="s", now=1000)
        bench.finish(job, now=3000)
        job = bench.processing(spec="s", now=1000)
        bench.finish(job, now=5000)
        bench.in_state(JobState.DEAD, spec="s")
        bench.in_state(JobState.FAILED, spec="s")
        bench.processing(spec="s", priority=1000)

        found = records(ctx, ["s"])["s"]

        assert (found.average_ms, found.success_rate) == (3000, 0.5)
        assert (record_of([]).average_ms, record_of([]).success_rate) == (None, None)


class TestHistory:
    def test_what_each_version_changed(self, ctx: Context, clock: Clock, tmp_path: Path) -> None:
        folder = tmp_path / "jobs.d"
        for number, text in enumerate(("command: a\nenv: {A: x}", "command: b\nenv: {A: y}", "command: b")):
            clock.pass_by(1000)
            apply_files(replace(ctx, who=f"ada{number}"), folder, {"s.yaml": text})

        past, older = history(ctx, "s", limit=2)

        assert [(one.version.version, one.version.who) for one in past] == [(3, "ada2"), (2, "ada1")]
        assert [(one.field, one.old, one.new) for one in past[1].changes] == [
            ("command", "a", "b"),
            ("env.A", "***", "***"),
        ]
        assert older == 1
        first, none = history(ctx, "s", newest=older, limit=2)
        assert [(one.version.version, one.changes) for one in first] == [(1, ())]
        assert none is None
        assert history(ctx, "nothing", limit=2) == ([], None)
