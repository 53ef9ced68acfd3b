"""Jobs, a job and its output, as the server answers them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

import httpx
import pytest

from queuectl.engine.output import Gap
from queuectl.model.job import Job, Said
from queuectl.model.spec import JobSpec
from queuectl.model.states import JobState, Outcome
from queuectl.service import job_search
from queuectl.service.context import Context
from queuectl.service.log_windows import window_after, window_before
from queuectl.service.logs import find_attempt
from queuectl.web import following
from tests.store.conftest import Bench
from tests.web.conftest import Server
from tests.web.outputs import write, writing

EVIL = "<img src=x onerror=alert(1)>\"'&"


def ids(html: str) -> list[int]:
    """The jobs that a page lists."""
    return [int(found) for found in re.findall(r'id="job-(\d+)"', html)]


def older(html: str) -> str | None:
    """Where the next page is."""
    found = re.search(r'rel="next" href="(\?[^"]*)"', html)
    return unescape(found[1]) if found else None


def pages(client: httpx.Client, query: str = "") -> Iterator[str]:
    at: str | None = query
    while at is not None:
        html = client.get(f"/jobs{at}").text
        yield html
        at = older(html)


def ended(bench: Bench, output: bytes, **changes: object) -> Job:
    """A completed job that wrote something short."""
    job = bench.processing(priority=1000, **changes)
    assert bench.finish(job, output=output, output_bytes=len(output))
    return bench.now(job)


class TestJobs:
    def test_pages_go_on_to_the_last_job_and_show_each_once(self, client: httpx.Client, bench: Bench) -> None:
        made = [bench.enqueue().id for _ in range(120)]

        seen = [job for html in pages(client) for job in ids(html)]

        assert seen == made[::-1]

    @pytest.mark.parametrize("sort", ["newest", "oldest", "changed"])
    @pytest.mark.parametrize("state", ["", "pending", "processing"])
    def test_every_order_has_all_of_them_once(
        self, client: httpx.Client, bench: Bench, sort: str, state: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(
            job_search.search, "__kwdefaults__", job_search.search.__kwdefaults__ | {"limit": 3}
        )
        made = [bench.enqueue(now=now).id for now in (5, 5, 5, 5, 5, 9, 9, 1, 1, 1, 1)]
        bench.claim(5, now=9)

        seen = [job for html in pages(client, f"?sort={sort}&state={state}") for job in ids(html)]

        jobs = [job for job in bench.store.jobs.list() if state in {"", job.state}]
        assert len(jobs) == (11 if not state else 5 if state == "processing" else 6)
        by = {
            "newest": lambda job: -job.id,
            "oldest": lambda job: job.id,
            "changed": lambda job: (-job.updated_at, -job.id),
        }
        assert seen == [job.id for job in sorted(jobs, key=by[sort])]
        assert set(seen) <= set(made)

    @pytest.mark.parametrize("state", list(JobState))
    def test_each_state(self, client: httpx.Client, bench: Bench, state: JobState) -> None:
        jobs = {one: bench.in_state(one) for one in JobState}

        assert ids(client.get(f"/jobs?state={state}").text) == [jobs[state].id]
        assert client.get(f"/jobs/{jobs[state].id}").status_code == 200

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("text=backup", [1]),
            ("text=BACKUP", [1]),
            ("text=50%25", [2]),
            ("text=_", [3]),
            ("text=nightly", [4]),
            ("text=disk", [5]),
            ("text=hush", []),
            ("spec=nightly", [4]),
            ("queue=mail", [6]),
            ("queue=mail&text=true", [6]),
            ("queue=mail&spec=nightly", []),
            ("state=cancelled&state=completed&text=e", [5]),
            ("state=&spec=&queue=&text=&since=", [6, 5, 4, 3, 2, 1]),
            ("since=1970-01-01T00:00:03Z", [5]),
            ("since=1970-01-01T00:00:03Z&state=pending", []),
            ("since=1970-01-01T00:00:03Z&queue=default&text=disk", [5]),
            ("behind=3", [2, 1]),
            ("sort=oldest", [1, 2, 3, 4, 5, 6]),
            ("sort=oldest&queue=default&state=pending", [1, 2, 3, 4]),
            ("sort=oldest&spec=nightly", [4]),
            ("sort=oldest&text=backup", [1]),
            ("sort=changed", [5, 6, 4, 3, 2, 1]),
            ("sort=changed&since=1970-01-01T00:00:03Z", [5]),
        ],
    )
    def test_filters(self, client: httpx.Client, bench: Bench, query: str, found: list[int]) -> None:
        bench.enqueue(command="pg-backup all")
        bench.enqueue(command="echo 50%")
        bench.enqueue(command="echo x_b")
        bench.enqueue(command="sh", spec="nightly", env={"TOKEN": "hush"})
        job = bench.enqueue(command="exit", frozen=JobSpec(command="exit"))
        bench.store.jobs.cancel(job.id, reason="the disk is full", now=3000)
        bench.enqueue(queue="mail")
        bench.store.specs.record_apply(at=1, who="me", source="s", git_commit=None, git_dirty=None)
        bench.store.specs.write(
            JobSpec(name="nightly", command="sh"), source="s", file="f", apply_id=1,
            next_due_at=None, next_fire_at=None, now=1,
        )  # fmt: skip

        assert ids(client.get(f"/jobs?{query}").text) == found

    def test_a_text_names_jobs_by_the_start_of_id_and_key(self, client: httpx.Client, bench: Bench) -> None:
        for _ in range(12):
            bench.enqueue()
        bench.enqueue(key="12-monkeys")

        html = client.get("/jobs?text=12").text

        assert re.findall(r'id="named-(\d+)"', html) == ["12", "13"]

    def test_what_no_index_holds_is_looked_for_step_by_step(
        self, client: httpx.Client, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(job_search, "STEP", 10)
        monkeypatch.setattr(job_search, "LOOKED_THROUGH", 20)
        monkeypatch.setattr(job_search, "PATIENCE_S", 60)
        needles = [bench.enqueue(command="needle").id, *(bench.enqueue().id for _ in range(64))][:1]
        needles.append(bench.enqueue(command="another needle").id)

        steps = [ids(html) for html in pages(client, "?text=needle")]

        assert steps == [[needles[1]], [], [], [needles[0]]]

    @pytest.mark.parametrize(
        ("query", "said"),
        [
            ("since=rubbish", "expected a time such as"),
            ("spec=nosuch", "there is no spec &#39;nosuch&#39;"),
            ("queue=nosuch", "there is no queue &#39;nosuch&#39; yet"),
        ],
    )
    def test_what_can_not_be_filtered_by_is_said(
        self, client: httpx.Client, bench: Bench, query: str, said: str
    ) -> None:
        answer = client.get(f"/jobs?{query}")

        assert answer.status_code == 200
        assert said in answer.text

    def test_an_empty_queue_says_what_to_do(self, client: httpx.Client, ctx: Context) -> None:
        assert "queuectl enqueue" in client.get("/jobs").text

    def test_text_of_jobs_is_text(self, client: httpx.Client, bench: Bench) -> None:
        job = ended(bench, f"\x1b[31m{EVIL}".encode(), command=EVIL, key=EVIL, description=EVIL)
        waits = bench.enqueue(command=EVIL)
        bench.store.jobs.cancel(waits.id, reason=f"{EVIL}\u202eexe.gnp", now=1)

        for path in (
            "/jobs",
            f"/jobs/{job.id}",
            f"/jobs/{waits.id}",
            f"/jobs/{job.id}/log",
            f"/jobs?text={EVIL}",
        ):
            html = client.get(path).text
            assert "<img" not in html
            assert "\u202e" not in html


class TestSelected:
    def do(self, client: httpx.Client, what: str, *jobs: int, **more: str) -> httpx.Response:
        return client.post(
            "/jobs/selected", data={"what": what, "id": [str(job) for job in jobs], "next": "/jobs", **more}
        )

    def notice(self, client: httpx.Client, answer: httpx.Response) -> str:
        assert answer.status_code == 303
        assert answer.headers["location"] == "/jobs"
        client.cookies.update(answer.cookies)
        found = re.search(r'<p class="notice (\w+)">(.*?)</p>', client.get("/jobs").text)
        assert found
        return f"{found[1]}: {unescape(found[2])}"

    def test_cancels_what_is_not_over_and_says_why_not_the_others(
        self, client: httpx.Client, bench: Bench
    ) -> None:
        done, waits, other = ended(bench, b""), bench.enqueue(), bench.enqueue()

        answer = self.do(client, "cancel", done.id, waits.id, other.id, 999)

        assert {bench.now(waits).state, bench.now(other).state} == {JobState.CANCELLED}
        assert self.notice(client, answer) == (
            f"good: 2 jobs cancelled, 2 not: job {done.id} is completed already, so there is nothing to cancel;"
            " there is no job 999"
        )

    def test_retries(self, client: httpx.Client, bench: Bench) -> None:
        dead, waits = bench.in_state(JobState.DEAD), bench.enqueue()

        answer = self.do(client, "retry", dead.id, waits.id)

        assert bench.now(dead).state is JobState.PENDING
        assert self.notice(client, answer).startswith("good: 1 job retried, 1 not: job")

    def test_deletes_when_somebody_is_sure(self, client: httpx.Client, bench: Bench) -> None:
        done, dead, waits = ended(bench, b"x"), bench.in_state(JobState.DEAD), bench.enqueue()
        some = (done.id, dead.id, waits.id)

        asked = self.do(client, "delete", *some)

        assert asked.status_code == 200
        assert "Delete 3 jobs for good" in asked.text
        assert re.findall(r'name="id" value="(\d+)"', asked.text) == [str(one) for one in some]
        assert {job.id for job in bench.store.jobs.list()} == set(some)

        answer = self.do(client, "delete", *some, sure="true")

        assert [job.id for job in bench.store.jobs.list()] == [waits.id]
        assert (
            self.notice(client, answer)
            == f"good: 2 jobs deleted, 1 not: job {waits.id} is pending; cancel it first"
        )

    def test_nothing_selected(self, client: httpx.Client, bench: Bench) -> None:
        assert self.notice(client, self.do(client, "delete")).startswith("bad: no job is selected")

    def test_who_may_only_look_may_not(
        self, client: httpx.Client, reader: httpx.Client, bench: Bench
    ) -> None:
        job = bench.enqueue()

        assert self.do(reader, "cancel", job.id).status_code == 403
        assert bench.now(job).state is JobState.PENDING
        assert "<button" in client.get(f"/jobs/{job.id}").text.partition('id="do"')[2].partition("</div>")[0]
        assert 'id="do"' not in reader.get(f"/jobs/{job.id}").text
        assert 'type="checkbox"' not in reader.get("/jobs").text


class TestJob:
    def test_everything_is_there(self, client: httpx.Client, bench: Bench) -> None:
        job = bench.processing(
            priority=1000, command=("echo", "a b"), key="k-1", owner="me@example.com", cwd="/srv",
            env={"PGPASSWORD": "hunter2"}, labels={"team": "data"}, arguments={"day": "monday"},
        )  # fmt: skip
        said = Said(outputs={"rows": "900"}, progress=0.5, summary="half of it")
        bench.finish(job, JobState.DEAD, outcome=Outcome.FAILED, exit_code=3, output=b"no\n", output_bytes=3, said=said,
                     error="it broke", cpu_ms=1234, now=61_000)  # fmt: skip

        html = unescape(client.get(f"/jobs/{job.id}").text)

        for text in ("echo 'a b'", "k-1", "me@example.com", "/srv", "team=data", "day=monday", "rows", "900", "50.0%",
                     "half of it", "it broke", "1.2s", "1m", "PGPASSWORD", "***", "no\n", "exit 3"):  # fmt: skip
            assert text in html
        assert "hunter2" not in html

    def test_says_why_it_does_not_run(self, client: httpx.Client, bench: Bench) -> None:
        assert "there is no worker" in client.get(f"/jobs/{bench.enqueue().id}").text

    def test_jobs_that_a_reason_names_are_links(self, client: httpx.Client, bench: Bench) -> None:
        job = bench.enqueue()
        bench.store.jobs.cancel(job.id, reason="<b> not needed: job 7 has completed", now=1)

        assert (
            '&lt;b&gt; not needed: <a href="/jobs/7">job 7</a> has completed'
            in client.get(f"/jobs/{job.id}").text
        )

    def test_what_has_changed_in_its_spec(self, client: httpx.Client, bench: Bench) -> None:
        specs = bench.store.specs
        specs.record_apply(at=1, who="me", source="s", git_commit=None, git_dirty=None)
        for command in ("echo old", "echo new"):
            specs.write(JobSpec(name="a", command=command), source="s", file="jobs.yaml", apply_id=1,
                        next_due_at=None, next_fire_at=None, now=1)  # fmt: skip
        job = bench.enqueue(spec="a", spec_version=1, command="echo old")

        html = client.get(f"/jobs/{job.id}").text

        assert "1 (now 2)" in html
        assert re.search(r"<del[^>]*>echo old</del>.*<ins[^>]*>echo new</ins>", html)

    def test_many_attempts_do_not_make_it_long(self, client: httpx.Client, bench: Bench) -> None:
        job = bench.enqueue(priority=1000, retries=1000)
        for at in range(60):
            (job,) = bench.claim(now=1000 + at)
            bench.finish(job, JobState.PENDING, outcome=Outcome.INTERRUPTED, run_at=1, now=1000 + at)

        html = client.get(f"/jobs/{job.id}").text

        assert len(re.findall(r'id="attempt-\d+"', html)) == 50
        assert "The latest 50 are shown" in html

    def test_buttons(self, client: httpx.Client, bench: Bench) -> None:
        waits, dead, done = bench.enqueue(), bench.in_state(JobState.DEAD), ended(bench, b"")

        client.post(f"/jobs/{waits.id}/cancel", data={"next": "/jobs"})
        client.post(f"/jobs/{dead.id}/retry", data={"next": "/jobs"})
        answer = client.post(f"/jobs/{done.id}/retry", data={"next": "/jobs"})

        assert bench.now(waits).state is JobState.CANCELLED
        assert bench.now(dead).state is JobState.PENDING
        assert answer.headers["location"] == f"/jobs/{done.id + 1}"
        assert client.get(answer.headers["location"]).status_code == 200

    def test_delete_asks_first(self, client: httpx.Client, bench: Bench) -> None:
        done = ended(bench, b"")

        assert "Delete job" in client.post(f"/jobs/{done.id}/delete", data={"next": "/jobs"}).text
        assert bench.now(done)

        answer = client.post(f"/jobs/{done.id}/delete", data={"next": "/jobs", "sure": "true"})
        assert answer.headers["location"] == "/jobs"
        assert bench.store.jobs.list() == []

    @pytest.mark.parametrize(
        "path", ["/jobs/9", "/jobs/9/log", "/jobs/9/log/raw", "/jobs/9/log/live?attempt=1"]
    )
    def test_a_job_that_is_not_there(self, client: httpx.Client, bench: Bench, path: str) -> None:
        bench.enqueue(key="9")

        assert client.get(path).status_code == 404

    def test_no_path_leads_anywhere_else(self, client: httpx.Client, bench: Bench) -> None:
        for path in ("/jobs/..%2f..%2fetc/log/raw", "/jobs/%2e%2e/log/raw", "/jobs/x/log/raw"):
            assert client.get(path).status_code in {404, 422}


class TestLog:
    def test_raw_is_what_was_written(self, client: httpx.Client, bench: Bench) -> None:
        job = ended(bench, b"\xff\x00<b>\x1b[31m\r\n")

        answer = client.get(f"/jobs/{job.id}/log/raw")

        assert answer.content == b"\xff\x00<b>\x1b[31m\r\n"
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-disposition"] == f'attachment; filename="job-{job.id}-attempt-1.log"'

    def test_colours_and_nothing_else(self, client: httpx.Client, bench: Bench) -> None:
        job = ended(bench, b"\x1b[1;32mok\x1b[0m <b>\n")

        assert (
            '<span class="ansi-bold ansi-green">ok</span> &lt;b&gt;' in client.get(f"/jobs/{job.id}/log").text
        )

    def test_what_was_not_kept_is_shown(self, client: httpx.Client, bench: Bench) -> None:
        job = bench.processing(priority=1000)
        bench.finish(job, output=b"the end\n", output_bytes=5_000_000, truncated=True)

        html = client.get(f"/jobs/{job.id}").text

        assert '<span class="gap">… 4.8MiB not kept …</span>the end' in html

    def test_pages_backwards_and_forwards_are_all_of_it(
        self, ctx: Context, bench: Bench, client: httpx.Client
    ) -> None:
        whole = b"".join(b"line %d of many\n" % number for number in range(60_000))
        job = writing(ctx, bench, whole)
        attempt = find_attempt(ctx, job)

        back, end = [], None
        while end != 0:
            window = window_before(ctx, attempt, end, limit=100_000)
            back.append(b"".join(window.pieces))  # type: ignore[arg-type]
            end = window.start
        forth, start = [], 0
        while (window := window_after(ctx, attempt, start, limit=100_000)).pieces:
            forth.append(b"".join(window.pieces))  # type: ignore[arg-type]
            start = window.end

        assert b"".join(back[::-1]) == b"".join(forth) == whole
        assert all(piece.startswith(b"line ") and len(piece) <= 100_000 for piece in back)
        assert (
            b"".join(window_before(ctx, attempt, limit=100_000, lines=3).pieces)
            == whole[-3 * len(b"line 59999 of many\n") :]
        )  # type: ignore[arg-type]

    def test_a_gap_is_shown_whole_wherever_a_page_begins(self, ctx: Context, bench: Bench) -> None:
        job = writing(ctx, bench, b"a\n" * 5)
        with (ctx.log_dir / "w1-0.log").open("r+b") as file:
            file.truncate(1 << 20)
        write(ctx, b"z\n" * 100)
        attempt = find_attempt(ctx, job)

        window = window_before(ctx, attempt, limit=1000)

        gap = window.pieces[0]
        assert isinstance(gap, Gap)
        assert window.start + gap.size == 1 << 20
        assert window.start <= 4096
        assert b"".join(window.pieces[1:]) == b"z\n" * 100  # type: ignore[arg-type]

    def test_the_page_has_a_bound_and_links_to_the_rest(
        self, ctx: Context, bench: Bench, client: httpx.Client
    ) -> None:
        job = writing(ctx, bench, b"0123456789abcdef\n" * 100_000)

        html = client.get(f"/jobs/{job.id}/log").text

        assert html.count("0123456789abcdef") == 2_000
        assert f"before={17 * 98_000}" in html
        assert client.get(f"/jobs/{job.id}").text.count("0123456789abcdef") == 500
        assert client.get(f"/jobs/{job.id}/log?after=0").text.count("0123456789abcdef") > 10_000

    def test_asked_for_again_it_is_left_to_the_script(
        self, ctx: Context, bench: Bench, client: httpx.Client
    ) -> None:
        job = writing(ctx, bench, b"hello\n")

        assert "hello" not in client.get(f"/jobs/{job.id}", headers={"x-live": "1"}).text


class TestLive:
    def test_it_comes_as_it_is_written_and_ends_with_the_attempt(
        self, server: Server, ctx: Context, bench: Bench
    ) -> None:
        job = writing(ctx, bench, b"one\n")

        with (
            server.client() as client,
            client.stream("GET", f"jobs/{job.id}/log/live?attempt=1&after=0") as answer,
        ):
            lines = answer.iter_lines()
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert until(lines, "data:one")
            write(ctx, b"\x1b[31m<b>\n")
            assert until(lines, 'data:<span class="ansi-red">&lt;b&gt;')
            bench.finish(job, output=b"one\n\x1b[31m<b>\n!", output_bytes=14)
            assert until(lines, 'data:<span class="ansi-red">!</span>')
            assert until(lines, "event: over")
            assert list(lines)[-1] == ""

    def test_it_goes_on_where_it_was_lost(self, server: Server, ctx: Context, bench: Bench) -> None:
        job = ended(bench, b"one\ntwo\n")
        url = f"jobs/{job.id}/log/live?attempt=1"

        with server.client() as client:
            again = client.get(url, headers={"last-event-id": "4"}).text
            assert "id: 8\nevent: written\ndata:4\ndata:two\n" in again
            assert "one" not in again
            assert "one" in client.get(url).text

    def test_no_more_than_so_many(
        self, client: httpx.Client, ctx: Context, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(following, "MOST_READERS", 0)
        job = ended(bench, b"one\n")

        assert client.get(f"/jobs/{job.id}/log/live?attempt=1").status_code == 503

    def test_the_server_ends_it(self, server: Server, ctx: Context, bench: Bench) -> None:
        job = writing(ctx, bench, b"one\n")

        with (
            server.client() as client,
            client.stream("GET", f"jobs/{job.id}/log/live?attempt=1&after=0") as answer,
        ):
            lines = answer.iter_lines()
            assert until(lines, "data:one")
            server.process.terminate()
            for _ in lines:
                pass
        assert server.process.wait(timeout=5) == 0


def until(lines: Iterator[str], wanted: str) -> bool:
    """Read on to a line."""
    return any(line.startswith(wanted) for line in lines)
