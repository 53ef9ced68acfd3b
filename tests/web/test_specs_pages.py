"""The specs and a spec, as the server answers them."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import httpx
import pytest

from queuectl.model.fire import Fire
from queuectl.model.states import FireOutcome, JobState
from queuectl.service import specs
from queuectl.service.context import Context
from queuectl.web.pages import spec as spec_page
from queuectl.web.pages import specs as specs_page
from tests.service.applying import apply_files
from tests.store.conftest import Bench
from tests.web.forms import notice, send

EVIL = "<img src=x onerror=alert(1)>\"'&"
NIGHTLY = f"""
description: '{EVIL.replace("'", "''")}'
command: pg_dump main
schedule: "0 2 * * *"
timezone: Europe/Berlin
env: {{PASSWORD: hunter2}}
"""


@pytest.fixture
def folder(ctx: Context, tmp_path: Path) -> Path:
    """A folder that is applied."""
    apply_files(ctx, tmp_path / "jobs.d", {"nightly.yaml": NIGHTLY, "once.yaml": "command: 'true'"})
    return tmp_path / "jobs.d"


def row(html: str, name: str) -> str:
    found = re.search(rf'<tr id="spec-{re.escape(name)}".*?</tr>', html, re.DOTALL)
    assert found, html
    return found[0]


def text(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


class TestList:
    def test_each_with_its_schedule_in_words_and_its_next_fire(
        self, client: httpx.Client, folder: Path
    ) -> None:
        shown = row(client.get("/specs").text, "nightly")
        assert "At 02:00, Europe/Berlin" in text(shown)
        assert re.search(r'<time datetime="\d{4}-\d\d-\d\dT0[01]:00:00Z" data-exact>', shown)
        assert re.search(r"\d{4}-\d\d-\d\d 0[01]:00:00 UTC", shown)
        assert EVIL not in shown
        assert EVIL in text(shown)
        assert "Once per version" in row(client.get("/specs").text, "once")

    def test_each_with_how_it_did(
        self, client: httpx.Client, ctx: Context, bench: Bench, folder: Path
    ) -> None:
        ctx.store.jobs.cancel(ctx.store.jobs.newest_of_spec("once").id, reason="", now=1)  # type: ignore[union-attr]
        for state in (JobState.COMPLETED, JobState.COMPLETED, JobState.COMPLETED, JobState.DEAD):
            bench.in_state(state, spec="nightly")
        shown = row(client.get("/specs").text, "nightly")
        assert re.findall(r'<rect class="state-(\w+)"', shown) == ["completed"] * 3 + ["dead"]
        assert 'aria-label="of the last 4: 3 completed, 1 dead"' in shown
        assert "75.0%" in shown

    def test_page_by_page(
        self, client: httpx.Client, ctx: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(specs_page, "PAGE_SPECS", 2)
        apply_files(ctx, tmp_path / "jobs.d", {f"s{number}.yaml": "command: 'true'" for number in range(5)})
        seen: list[str] = []
        at: str | None = "?text=s"
        while at:
            html = client.get(f"/specs{at}").text
            seen += re.findall(r'<tr id="spec-(\w+)"', html)
            more = re.search(r'rel="next" href="(\?[^"]*)"', html)
            at = unescape(more[1]) if more else None
        assert seen == ["s0", "s1", "s2", "s3", "s4"]

    def test_filters(self, client: httpx.Client, ctx: Context, folder: Path) -> None:
        specs.pause(ctx, "nightly")
        assert re.findall(r'<tr id="spec-(\w+)"', client.get("/specs?kind=paused&text=").text) == ["nightly"]
        assert "No spec is like that" in client.get("/specs?text=nothing").text
        assert client.get("/specs?kind=odd").status_code == 422

    def test_without_any_it_says_what_to_do(self, client: httpx.Client) -> None:
        assert "queuectl apply jobs.d" in client.get("/specs").text


class TestSteering:
    def test_run_now(self, client: httpx.Client, ctx: Context, folder: Path) -> None:
        assert re.fullmatch(r"good:job \d+ of nightly is pending", send(client, "/specs/nightly/run"))
        job = ctx.store.jobs.newest_of_spec("nightly")
        assert job
        assert job.state is JobState.PENDING

    def test_run_now_with_values(self, client: httpx.Client, ctx: Context, tmp_path: Path) -> None:
        params = "{day: {description: Which day}, n: {type: integer, default: 3}, way: {enum: [up, down]}}"
        apply_files(ctx, tmp_path / "jobs.d", {"s.yaml": f"command: 'true'\nparams: {params}"})
        assert 'href="/specs/s#run"' in client.get("/specs").text
        html = client.get("/specs/s").text
        assert re.search(r'<input name="set.day" id="set.day" value="" required', html)
        assert re.search(r'<input name="set.n" id="set.n" type="number" step="any" value="3"', html)
        assert "<option>up</option>" in html

        assert send(client, "/specs/s/run").startswith("bad:spec 's': day has to be set")
        assert send(client, "/specs/s/run", **{"set.day": "x", "set.n": "x", "set.way": "up"}).startswith(
            "bad:"
        )
        assert send(client, "/specs/s/run", **{"set.day": EVIL, "set.n": "", "set.way": "up"}).startswith(
            "good:"
        )

        job = ctx.store.jobs.newest_of_spec("s")
        assert job
        assert job.frozen.arguments == {"day": EVIL, "n": "3", "way": "up"}

    def test_pause_with_a_reason_and_resume(self, client: httpx.Client, ctx: Context, folder: Path) -> None:
        assert send(client, "/specs/nightly/pause", reason=EVIL) == f"good:nightly is paused: {EVIL}"
        for path in ("/specs", "/specs/nightly"):
            html = client.get(path).text
            assert EVIL not in html
            assert f"paused by {ctx.who}" in text(html)
            assert EVIL in text(html)
            assert "/specs/nightly/resume" in html
        assert send(client, "/specs/nightly/resume") == "good:nightly is resumed"
        assert not specs.get_spec(ctx, "nightly").paused
        assert send(client, "/specs/once/pause").startswith("bad:spec 'once' has no schedule to pause")
        assert client.post("/specs/nightly/pause", data={"reason": "x" * 1001}).status_code == 422

    def test_a_notice_fits_into_a_cookie_whatever_is_in_it(self, client: httpx.Client, folder: Path) -> None:
        answer = client.post("/specs/nightly/pause", data={"next": "/specs", "reason": "\u202e" + "😀" * 900})
        assert len(answer.headers["set-cookie"]) < 4096  # browsers drop a longer one
        assert notice(answer).startswith("good:nightly is paused: \u202e😀")
        shown = re.search(r'class="notice good">(.*)</p>', client.get("/specs").text)
        assert shown
        assert shown[1].startswith("nightly is paused: \\u202e😀")
        assert shown[1].endswith("😀")

    def test_who_only_looks_sees_no_buttons_and_may_not(self, reader: httpx.Client, folder: Path) -> None:
        for path in ("/specs", "/specs/nightly"):
            assert 'method="post"' not in reader.get(path).text
        for what in ("run", "pause", "resume"):
            assert reader.post(f"/specs/nightly/{what}").status_code == 403

    def test_nothing_happens_by_get(self, client: httpx.Client, folder: Path) -> None:
        assert client.get("/specs/nightly/run").status_code == 405

    def test_a_stranger_to_the_queue(self, client: httpx.Client, folder: Path) -> None:
        assert client.get("/specs/nightli").status_code == 404
        assert send(client, "/specs/nightli/run") == "bad:there is no spec 'nightli', did you mean 'nightly'?"


class TestSpec:
    def test_its_yaml_as_applied_without_secrets(self, client: httpx.Client, folder: Path) -> None:
        html = client.get("/specs/nightly").text
        assert "command: pg_dump main\n" in unescape(html)
        assert "PASSWORD: '***'" in unescape(html)
        assert "hunter2" not in html
        assert EVIL not in html

    def test_from_which_file_and_commit(self, client: httpx.Client, ctx: Context, folder: Path) -> None:
        stored = specs.get_spec(ctx, "nightly")
        apply_id = ctx.store.specs.record_apply(
            at=1, who="ada@mill", source=stored.source, git_commit="abc" * 13, git_dirty=True
        )
        ctx.store.specs.write(
            stored.spec, source=stored.source, file=stored.file, apply_id=apply_id, next_due_at=None,
            next_fire_at=None, now=2,
        )  # fmt: skip
        shown = text(client.get("/specs/nightly").text)
        assert stored.file in shown
        assert "abc" * 13 + " with changes that were not committed" in shown
        assert "by ada@mill" in shown

    def test_history_of_its_versions(
        self, client: httpx.Client, ctx: Context, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        apply_files(
            ctx, folder, {"nightly.yaml": NIGHTLY.replace("0 2", "0 3"), "once.yaml": "command: 'true'"}
        )
        apply_files(
            ctx, folder, {"nightly.yaml": NIGHTLY.replace("pg_dump", "dump"), "once.yaml": "command: 'true'"}
        )
        html = client.get("/specs/nightly").text
        assert re.findall(r'<li id="version-(\d)"', html) == ["3", "2", "1"]
        assert "schedule.cron 0 2 * * * 0 3 * * *" in text(html)

        old = client.get("/specs/nightly?version=2").text
        assert "As applied, version 2" in old
        assert "schedule: 0 3 * * *" in old
        assert "From version 2 to 3" in old
        assert client.get("/specs/nightly?version=9").status_code == 404

        monkeypatch.setattr(spec_page, "PAGE_VERSIONS", 2)
        assert 'href="/specs/nightly?versions=1#versions"' in client.get("/specs/nightly").text
        assert re.findall(r'<li id="version-(\d)"', client.get("/specs/nightly?versions=1").text) == ["1"]

    def test_the_ledger_of_its_fires(
        self, client: httpx.Client, ctx: Context, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for at, outcome in enumerate(FireOutcome, 1):
            ctx.store.fires.record(Fire(spec="nightly", due_at=at * 1000, outcome=outcome, reason=EVIL))
        ctx.store.fires.record(
            Fire(spec="nightly", due_at=9000, until=20_000, count=12, outcome=FireOutcome.MISSED, job_id=7)
        )
        html = client.get("/specs/nightly").text
        assert re.findall(r'<tr id="fire-(\d+)"', html) == [str(at * 1000) for at in (9, 6, 5, 4, 3, 2, 1)]
        assert re.findall(r'fire-(\w+)">', html) == ["missed", *reversed(list(FireOutcome))]
        assert "and 11 more until 1970-01-01 00:00:20 UTC" in text(html)
        assert 'href="/jobs/7"' in html
        assert EVIL not in html

        monkeypatch.setattr(spec_page, "PAGE_FIRES", 3)
        first = client.get("/specs/nightly").text
        more = re.search(r'href="/specs/nightly(\?before=\d+)#ledger"', first)
        assert more
        assert re.findall(r'<tr id="fire-(\d+)"', client.get(f"/specs/nightly{more[1]}").text) == [
            "4000",
            "3000",
            "2000",
        ]

    def test_how_long_its_runs_took(self, client: httpx.Client, bench: Bench, folder: Path) -> None:
        job = bench.processing(spec="nightly", priority=1000, now=1000)
        bench.finish(job, now=61_000)
        bench.in_state(JobState.DEAD, spec="nightly")
        html = client.get("/specs/nightly").text
        assert 'aria-label="how long the last 2 runs took: 1m at most, 1m on average"' in html
        assert re.findall(r'<rect class="bar state-(\w+)"', html) == ["completed", "dead"]
        assert f'class="square state-completed" href="/jobs/{job.id}"' in html

    def test_one_that_was_pruned_shows_its_history_and_no_buttons(
        self, client: httpx.Client, ctx: Context, folder: Path
    ) -> None:
        specs.delete(ctx, "nightly")
        html = client.get("/specs/nightly").text
        assert "It was pruned" in html
        assert 'id="version-1"' in html
        assert 'method="post"' not in html
        assert 'id="spec-nightly"' not in client.get("/specs").text

    def test_one_that_is_damaged_is_shown_all_the_same(
        self, client: httpx.Client, ctx: Context, folder: Path
    ) -> None:
        ctx.store.database._connection.execute("UPDATE specs SET body = '{' WHERE name = 'nightly'")  # type: ignore[attr-defined]
        assert "damaged" in row(client.get("/specs").text, "nightly")
        html = client.get("/specs/nightly").text
        assert "is damaged in the database" in html
        assert "/specs/nightly/run" not in html
