"""The dead letters, as the server answers them."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from urllib.parse import parse_qsl

import httpx
import pytest

from queuectl.model.job import AttemptEnd, Job
from queuectl.model.states import JobState, Outcome
from queuectl.model.transition import Transition
from queuectl.service import dead_groups
from queuectl.service.context import Context
from queuectl.web.pages import dead as page
from tests.store.conftest import Bench
from tests.web.forms import notice, send

EVIL = "<img src=x onerror=alert(1)>\"'&"


def dead(
    bench: Bench, reason: str = "exit code 1, after 1 attempt", *, now: int = 1000, **changes: object
) -> Job:
    output = b"starting\nconnection refused by " + EVIL.encode() + b"\n"
    job = bench.processing(priority=1000, now=now, **changes)
    end = AttemptEnd(outcome=Outcome.FAILED, exit_code=1, output=output, output_bytes=len(output))
    to = Transition(state=JobState.DEAD, failures=1, losses=0, reason=reason)
    assert bench.store.jobs.finish(job, end, to, now=now)
    return bench.now(job)


def groups(html: str) -> list[tuple[str, str, int]]:
    """What of, which error, how many: as the page lists them."""
    rows = re.findall(r'<tr id="group-\d+".*?</tr>', html, re.DOTALL)
    cells = [
        [
            unescape(re.sub(r"<[^>]+>", " ", cell)).split("\n")
            for cell in re.findall(r"<td.*?</td>", row, re.DOTALL)
        ]
        for row in rows
    ]
    return [(cell[0][0].strip(), cell[1][0].strip(), int(cell[2][0])) for cell in cells]


def test_groups_of_spec_and_error_newest_first(client: httpx.Client, bench: Bench) -> None:
    dead(bench, "exit code 1, after 4 failures", spec="s", now=1000)
    dead(bench, EVIL, command=f"echo {EVIL} 12", now=2000)
    dead(bench, "exit code 1, after 1 attempt", spec="s", now=3000)

    html = client.get("/dead").text

    assert EVIL not in html
    assert groups(html) == [
        ("s", "exit code 1", 2),
        (f"echo {EVIL.replace('1', '…')} …", EVIL.replace("1", "…"), 1),
    ]
    assert f"connection refused by {EVIL}" in unescape(html)
    assert "Last died" in html
    assert groups(client.get("/dead?text=EXIT").text) == [("s", "exit code 1", 2)]
    assert "No dead job is like that" in client.get("/dead?text=nothing").text


def test_without_any_it_says_what_comes_here(client: httpx.Client) -> None:
    html = client.get("/dead").text
    assert "No job is dead." in html
    assert "Retry all" not in html


def test_page_by_page(client: httpx.Client, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "PAGE_GROUPS", 2)
    for number in range(5):
        dead(bench, f"exit code {number}", now=1000 + number)
    seen = [error for number in (1, 2, 3) for _, error, _ in groups(client.get(f"/dead?page={number}").text)]
    assert seen == [f"exit code {number}" for number in (4, 3, 2, 1, 0)]
    assert 'rel="next" href="?page=2"' in client.get("/dead").text
    assert 'rel="next"' not in client.get("/dead?page=3").text
    assert client.get("/dead?page=4").status_code == 200


def test_it_says_how_many_were_looked_at(
    client: httpx.Client, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        dead(bench, now=1000 + number)
    assert "are grouped here" not in client.get("/dead").text
    monkeypatch.setattr(dead_groups, "LOOKED_AT", 2)
    assert "The newest 2 of 3 dead jobs are grouped here" in client.get("/dead").text


def test_a_group_shows_its_jobs(client: httpx.Client, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    those = [
        dead(bench, f"exit code 1, after {number} failures", spec="s", now=1000 + number)
        for number in (2, 3, 4)
    ]
    dead(bench, "exit code 2", spec="s")
    link = re.search(r'href="(/dead/group\?[^"]*)"', client.get("/dead").text)
    assert link
    at = unescape(link[1])
    html = client.get(at).text
    assert re.findall(r'<tr id="job-(\d+)"', html) == [str(job.id) for job in reversed(those)]
    assert "exit code 1, after 3 failures" in html

    monkeypatch.setattr(page, "PAGE_JOBS", 2)
    assert re.findall(r'<tr id="job-(\d+)"', client.get(f"{at}&page=2").text) == [str(those[0].id)]
    assert "Nothing of this kind is dead any more" in client.get("/dead/group?spec=s&error=other").text


def test_one_is_retried_or_discarded(client: httpx.Client, ctx: Context, bench: Bench) -> None:
    one, other = dead(bench), dead(bench)
    assert send(client, f"/dead/{one.id}", what="retry") == f"good:job {one.id} is pending"
    assert (
        send(client, f"/dead/{one.id}", what="retry")
        == f"bad:job {one.id} is pending, not in the dead letter queue"
    )

    sure = client.post(f"/dead/{other.id}", data={"what": "discard"})
    assert f"Discard job {other.id}, with attempts and output?" in sure.text
    assert ctx.store.jobs.get(other.id)
    assert (
        send(client, f"/dead/{other.id}", what="discard", sure="true") == f"good:job {other.id} is discarded"
    )
    assert ctx.store.jobs.get(other.id) is None
    assert send(client, f"/dead/{other.id}", what="retry") == f"bad:there is no job {other.id}"


@pytest.mark.parametrize("what", ["retry", "discard"])
def test_a_group_of_whatever_text_is_reached_by_its_own_buttons(
    client: httpx.Client, ctx: Context, bench: Bench, what: str
) -> None:
    reason, command = f"  odd\r\n{EVIL}\x1b[31m \u202e 12", f"echo '{EVIL}'\n  two {'x' * 300}"
    those = [dead(bench, reason, command=command) for _ in range(2)]
    other = dead(bench, "timed out")
    form = re.search(r'action="/dead/group".*?odd.*?</form>', client.get("/dead?text=odd").text, re.DOTALL)
    assert form
    fields = {
        name: unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)">\n', form[0])
    }
    asked = client.post("/dead/group", data={**fields, "what": what})
    if what == "discard":
        assert asked.status_code == 200
        assert "Discard all dead jobs of" in asked.text
        fields = {
            name: unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', asked.text)
        }
        client.post("/dead/group", data=fields)

    found = [ctx.store.jobs.get(job.id) for job in those]
    assert [job and job.state for job in found] == [JobState.PENDING if what == "retry" else None] * 2
    assert bench.now(other).state is JobState.DEAD


def test_a_group_whose_address_is_long_leads_back(client: httpx.Client, bench: Bench) -> None:
    """Other letters than those of English are nine characters of an address, each."""
    dead(bench, reason="失敗" * 90, command=f"echo {'日本語' * 30}")
    path, query = re.findall(r'href="(/dead/group)\?([^"]+)"', client.get("/dead").text)[0]
    there = f"{path}?{unescape(query)}"
    assert len(there) > 2000
    fields = dict(parse_qsl(unescape(query)))
    answer = client.post(path, data={"what": "retry", "next": there, **fields})
    assert answer.headers["location"] == there
    assert notice(answer) == "good:1 job retried"


@pytest.mark.parametrize("what", ["retry", "discard"])
def test_all_at_once_only_when_somebody_is_sure(
    client: httpx.Client, ctx: Context, bench: Bench, what: str
) -> None:
    for _ in range(3):
        dead(bench)
    assert client.post("/dead/all", data={"what": what}).status_code == 200
    assert ctx.store.jobs.counts()[JobState.DEAD] == 3
    done = "retried" if what == "retry" else "discarded"
    assert send(client, "/dead/all", what=what, sure="true") == f"good:3 jobs {done}"
    assert ctx.store.jobs.counts()[JobState.DEAD] == 0


def test_who_only_looks_sees_no_buttons_and_may_not(
    reader: httpx.Client, bench: Bench, tmp_path: Path
) -> None:
    job = dead(bench, spec="s")
    for path in ("/dead", "/dead/group?spec=s&error=exit+code+1"):
        html = reader.get(path).text
        assert str(job.id) in html
        assert 'method="post"' not in html
    for path in ("/dead/all", "/dead/group", f"/dead/{job.id}"):
        assert reader.post(path, data={"what": "retry", "sure": "true"}).status_code == 403
