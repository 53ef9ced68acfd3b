"""What the routes of the API do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from queuectl.model.fire import Fire
from queuectl.model.states import FireOutcome, JobState
from queuectl.service.context import Context
from queuectl.service.jobs import find
from queuectl.web.site import Site
from tests.command import Queuectl
from tests.service.applying import apply_files
from tests.store.conftest import Bench
from tests.web.conftest import TOKENS, Server, asking

API = "/api/v1"
PROBLEM = "application/problem+json"


@pytest.fixture
def nightly(ctx: Context, tmp_path: Path) -> str:
    text = "command: dump\nschedule: '0 2 * * *'\nparams: {DAY: {type: string, default: today}}\n"
    apply_files(ctx, tmp_path / "jobs.d", {"nightly.yaml": text})
    return "nightly"


def problem(answer: httpx.Response, status: int) -> str:
    """What is wrong, in one line."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM), answer.text
    body = answer.json()
    assert (body["status"], body["type"]) == (status, "about:blank")
    return str(body["detail"])


class TestEnqueue:
    def test_a_job_is_made(self, client: httpx.Client, ctx: Context) -> None:
        made = client.post(f"{API}/jobs", json={"command": "date", "retries": 5, "queue": "mail"})
        assert made.status_code == 201
        assert client.get(made.headers["location"]).json()["command"] == "date"
        job = find(ctx, str(made.json()["id"]))
        assert (job.state, job.max_retries, job.queue) == (JobState.PENDING, 5, "mail")

    @pytest.mark.parametrize("field", ["key", "id"])
    def test_the_same_key_is_the_same_job(self, client: httpx.Client, field: str) -> None:
        by_header = {"idempotency-key": "import 1"}
        made = client.post(f"{API}/jobs", json={"command": "date"}, headers=by_header)
        again = client.post(f"{API}/jobs", json={"command": "date", field: "import 1"})
        both = client.post(f"{API}/jobs", json={"command": "date", field: "import 1"}, headers=by_header)
        assert [one.status_code for one in (made, again, both)] == [201, 200, 200]
        assert {one.headers["location"] for one in (made, again, both)} == {f"{API}/jobs/1"}
        assert made.json() == again.json()

    def test_the_same_key_with_another_command_is_a_conflict(self, client: httpx.Client) -> None:
        by_header = {"idempotency-key": "a"}
        client.post(f"{API}/jobs", json={"command": "date"}, headers=by_header)
        assert "belongs to job 1" in problem(
            client.post(f"{API}/jobs", json={"command": "other"}, headers=by_header), 409
        )
        assert "expected 'a' as in Idempotency-Key, found 'b'" in problem(
            client.post(f"{API}/jobs", json={"command": "date", "key": "b"}, headers=by_header), 422
        )

    def test_it_runs_in_the_home_folder_unless_it_says_where(
        self, client: httpx.Client, ctx: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        (tmp_path / "app").mkdir()
        folders = {}
        for cwd in (None, "app", "~/app", "/"):
            fields = {"command": "date"} | ({} if cwd is None else {"cwd": cwd})
            folders[cwd] = find(ctx, str(client.post(f"{API}/jobs", json=fields).json()["id"])).frozen.cwd
        app = str(tmp_path / "app")
        assert folders == {None: str(tmp_path), "app": app, "~/app": app, "/": "/"}
        assert "cwd: there is no folder" in problem(
            client.post(f"{API}/jobs", json={"command": "date", "cwd": "elsewhere"}), 422
        )

    def test_later_and_after_others(self, client: httpx.Client) -> None:
        first = client.post(f"{API}/jobs", params={"delay": "15m"}, json={"command": "date"}).json()
        second = client.post(f"{API}/jobs", params={"needs": first["id"]}, json={"command": "date"}).json()
        assert (first["state"], second["state"]) == ("scheduled", "blocked")
        assert "there is no job '9'" in problem(
            client.post(f"{API}/jobs", params={"needs": "9"}, json={"command": "date"}), 404
        )

    @pytest.mark.parametrize(
        ("body", "status", "detail"),
        [
            (b"{", 400, "the JSON breaks at line 1, column 2"),
            (b'{"command": "\xff"}', 400, "not UTF-8"),
            (b"[]", 422, "expected a JSON object"),
            (b'{"command": "a", "command": "b"}', 422, "gives 'command' twice"),
            (b'{"command": "a", "priority": NaN}', 422, "NaN"),
            (b'{"command": "a", "priority": ' + b"9" * 5000 + b"}", 422, "5000 digits"),
            (b"[" * 100_000, 422, "nested too deep"),
            (b'{"command": "a", "env": {"A": "\\ud800"}}', 422, "half of a surrogate"),
            (b'{"command": "a\\u0000"}', 422, "NUL"),
            (b'{"comand": "a"}', 422, "did you mean"),
            (b'{"command": "a", "schedule": "@daily"}', 422, "belongs into a spec file"),
            (b'{"command": "a", "timeout": "soon"}', 422, "timeout"),
            (b'{"command": "a", "id": ""}', 422, "key: expected a text that isn't empty"),
        ],
    )
    def test_what_cant_be_read(self, client: httpx.Client, body: bytes, status: int, detail: str) -> None:
        headers = {"content-type": "application/json"}
        assert detail in problem(client.post(f"{API}/jobs", content=body, headers=headers), status)

    def test_only_json(self, client: httpx.Client) -> None:
        assert "found application/x-www-form-urlencoded" in problem(
            client.post(f"{API}/jobs", data={"command": "x"}), 415
        )

    def test_too_much(self, client: httpx.Client) -> None:
        headers = {"content-type": "application/json"}
        problem(client.post(f"{API}/jobs", content=b" " * (1 << 20) + b"{}", headers=headers), 413)

    def test_too_much_bit_by_bit(self, server: Server) -> None:
        headers = {"content-type": "application/json"}
        with server.client() as client:
            bits = iter([b" " * (1 << 20), b"{}"])
            problem(client.post(f"{API}/jobs", content=bits, headers=headers), 413)
            assert client.get(f"{API}/jobs").json() == []


class TestLists:
    def test_the_filters_of_the_command_line(self, client: httpx.Client, bench: Bench) -> None:
        bench.in_state(JobState.DEAD, queue="mail", spec="s")
        bench.in_state(JobState.COMPLETED, labels={"team": "data"})
        bench.in_state(JobState.PENDING, queue="mail")

        def ids(**params: Any) -> list[int]:
            return [job["id"] for job in client.get(f"{API}/jobs", params=params).json()]

        assert ids() == [3, 2, 1]
        assert ids(state=["dead", "pending"]) == [3, 1]
        assert ids(queue="mail", state="dead") == [1]
        assert ids(label="team=data") == [2]
        assert ids(label=["team=data", "team=x"]) == []
        assert ids(since="1h") == []
        assert ids(since="1970-01-01T00:00:00Z") == [3, 2, 1]
        assert ids(limit=1) == [3]

    @pytest.mark.parametrize(
        "query",
        ["state=done", "limit=0", "limit=1001", "cursor=0", f"cursor={2**63}", "cursor=x", "since=soon", "label=x",
         "label=%3Dx", "limit=%FF", "since=%00"],
    )  # fmt: skip
    def test_what_cant_be_filtered_by(self, client: httpx.Client, query: str) -> None:
        problem(client.get(f"{API}/jobs?{query}"), 422)

    def test_an_unknown_spec_is_a_typo(self, client: httpx.Client, nightly: str) -> None:
        for path in ("jobs", "dead-letters", "fires"):
            answer = client.get(f"{API}/{path}", params={"spec": "nightli"})
            assert "did you mean 'nightly'" in problem(answer, 404)

    @pytest.mark.parametrize("path", ["jobs?state=dead", "dead-letters?", "jobs?label=a%3Db"])
    def test_pages_lead_through_all(self, client: httpx.Client, bench: Bench, path: str) -> None:
        for _ in range(5):
            bench.in_state(JobState.DEAD, labels={"a": "b"})
            bench.in_state(JobState.PENDING)
        seen = [[job["id"] for job in answer.json()] for answer in pages(client, f"{API}/{path}&limit=2")]
        assert seen == [[9, 7], [5, 3], [1]]

    def test_a_page_ends_where_enough_was_looked_at(
        self, client: httpx.Client, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("queuectl.service.jobs.MOST_LOOKED_AT", 2)
        bench.in_state(JobState.DEAD, labels={"a": "b"})
        for _ in range(4):
            bench.in_state(JobState.PENDING)
        found = pages(client, f"{API}/jobs?label=a%3Db")
        assert [[job["id"] for job in answer.json()] for answer in found] == [[], [], [1]]

    def test_pages_of_specs(self, client: httpx.Client, ctx: Context, tmp_path: Path) -> None:
        files = {f"s{number}.yaml": f"command: x\nlabels: {{n: '{number % 2}'}}\n" for number in range(5)}
        apply_files(ctx, tmp_path / "jobs.d", files)
        found = pages(client, f"{API}/specs?limit=2")
        assert [[spec["name"] for spec in answer.json()] for answer in found] == [
            ["s0", "s1"],
            ["s2", "s3"],
            ["s4"],
        ]
        found = pages(client, f"{API}/specs?limit=1&label=n%3D1")
        assert [[spec["name"] for spec in answer.json()] for answer in found] == [["s1"], ["s3"]]

    def test_pages_of_the_ledger_of_a_spec(self, client: httpx.Client, ctx: Context, nightly: str) -> None:
        for due_at in range(1000, 6000, 1000):
            for spec in (nightly, "other"):
                ctx.store.fires.record(Fire(spec=spec, due_at=due_at, outcome=FireOutcome.MISSED))
        found = pages(client, f"{API}/fires?limit=2&spec={nightly}")
        seen = [[fire["due_at"][17:19] for fire in answer.json()] for answer in found]
        assert seen == [["05", "04"], ["03", "02"], ["01"]]
        assert "link" not in client.get(f"{API}/fires?limit=2").headers
        assert "name the spec" in problem(client.get(f"{API}/fires/coming?from=2099-01-01"), 422)

    def test_the_soonest_of_many(self, client: httpx.Client, ctx: Context, tmp_path: Path) -> None:
        files = {
            f"s{n}.yaml": f"command: x\nschedule: '{n} * * * *'\npaused: {n % 2 == 0}\n".lower()
            for n in range(9)
        }
        apply_files(ctx, tmp_path / "jobs.d", files)
        everything = client.get(f"{API}/fires/coming?count=2").json()
        assert {fire["spec"] for fire in everything} == {"s1", "s3", "s5", "s7"}
        assert client.get(f"{API}/fires/coming?count=2&limit=3").json() == everything[:3]

    def test_a_link_leads_through_a_proxy(self, site: Site, bench: Bench) -> None:
        from msgspec.structs import replace

        from queuectl.web.app import create_app

        for _ in range(2):
            bench.enqueue()
        with asking(create_app(replace(site, base_path="/queue")), TOKENS.full) as client:
            first = client.get(f"/queue{API}/jobs?limit=1")
            assert first.links["next"]["url"] == f"/queue{API}/jobs?limit=1&cursor=2"
            made = client.post(f"/queue{API}/jobs", json={"command": "x"})
            assert made.headers["location"] == f"/queue{API}/jobs/3"


class TestOneJob:
    def test_by_number_key_and_spec(self, client: httpx.Client, bench: Bench) -> None:
        job = bench.enqueue(key="a key", spec="nightly")
        for name in (str(job.id), "a%20key", "nightly"):
            assert client.get(f"{API}/jobs/{name}").json()["id"] == job.id

    @pytest.mark.parametrize(
        "name",
        [
            "99",
            "-1",
            "x",
            "9" * 5000,
            "%00",
            "%FF%FE",
            "..",
            "..%2f..%2fetc%2fpasswd",
            "%F0%9F%92%A5",
            "1%0a",
            "1.0",
        ],
    )
    def test_what_is_not_there(self, client: httpx.Client, bench: Bench, name: str) -> None:
        bench.enqueue()
        for path in ("", "/why", "/flow", "/logs", "/logs/stream"):
            problem(client.get(f"{API}/jobs/{name}{path}"), 404)
        for path in ("/cancel", "/retry"):
            problem(client.post(f"{API}/jobs/{name}{path}"), 404)
        problem(client.delete(f"{API}/jobs/{name}"), 404)

    def test_cancel(self, client: httpx.Client, bench: Bench) -> None:
        job = bench.enqueue()
        cancelled = client.post(f"{API}/jobs/{job.id}/cancel", json={"reason": "not needed"})
        assert (cancelled.json()["state"], cancelled.json()["reason"]) == ("cancelled", "not needed")
        assert "nothing to cancel" in problem(client.post(f"{API}/jobs/{job.id}/cancel"), 409)

    @pytest.mark.parametrize("body", [{"reason": 3}, {"reasn": "x"}, {"reason": "x" * 1001}, [], "x"])
    def test_cancel_for_no_reason(self, client: httpx.Client, bench: Bench, body: object) -> None:
        job = bench.enqueue()
        problem(client.post(f"{API}/jobs/{job.id}/cancel", json=body), 422)
        assert client.get(f"{API}/jobs/{job.id}").json()["state"] == "pending"

    def test_retry(self, client: httpx.Client, bench: Bench) -> None:
        dead, done = bench.in_state(JobState.DEAD), bench.in_state(JobState.COMPLETED)
        again = client.post(f"{API}/jobs/{dead.id}/retry")
        assert (again.json()["id"], again.json()["state"]) == (dead.id, "pending")
        follow_up = client.post(f"{API}/jobs/{done.id}/retry", json={"as_was": True})
        assert follow_up.headers["location"] == f"{API}/jobs/3"
        assert "runs without a retry" in problem(client.post(f"{API}/jobs/{dead.id}/retry"), 409)

    def test_delete(self, client: httpx.Client, bench: Bench) -> None:
        done, open_job = bench.in_state(JobState.COMPLETED), bench.enqueue()
        assert client.delete(f"{API}/jobs/{done.id}").status_code == 204
        problem(client.get(f"{API}/jobs/{done.id}"), 404)
        assert "only jobs that are cancelled or completed or dead" in problem(
            client.delete(f"{API}/jobs/{open_job.id}"), 409
        )

    def test_why(self, client: httpx.Client, bench: Bench) -> None:
        job = bench.enqueue()
        assert client.get(f"{API}/jobs/{job.id}/why").json()["reason"] == "there is no worker"


class TestDeadLetters:
    def test_retry_one_and_all(self, client: httpx.Client, bench: Bench) -> None:
        one, _, mail = (
            bench.in_state(JobState.DEAD, queue=queue) for queue in ("default", "default", "mail")
        )
        assert client.post(f"{API}/dead-letters/{one.id}/retry").json()["state"] == "pending"
        assert "not in the dead letter queue" in problem(
            client.post(f"{API}/dead-letters/{one.id}/retry"), 409
        )
        assert client.post(f"{API}/dead-letters/retry", json={"queue": "mail"}).json() == {"retried": 1}
        assert client.get(f"{API}/jobs/{mail.id}").json()["state"] == "pending"
        assert client.post(f"{API}/dead-letters/retry").json() == {"retried": 1}

    def test_delete_one_and_all(self, client: httpx.Client, bench: Bench) -> None:
        one = bench.in_state(JobState.DEAD)
        bench.in_state(JobState.DEAD, queue="mail")
        bench.in_state(JobState.DEAD)
        done = bench.in_state(JobState.COMPLETED)
        assert client.delete(f"{API}/dead-letters/{one.id}").status_code == 204
        assert "not in the dead letter queue" in problem(client.delete(f"{API}/dead-letters/{done.id}"), 409)
        assert client.delete(f"{API}/dead-letters", params={"queue": "mail"}).json() == {"deleted": 1}
        assert client.delete(f"{API}/dead-letters").json() == {"deleted": 1}
        assert [job["id"] for job in client.get(f"{API}/jobs").json()] == [done.id]


class TestSpecs:
    def test_trigger(self, client: httpx.Client, nightly: str) -> None:
        made = client.post(f"{API}/specs/{nightly}/trigger")
        assert (made.status_code, made.json()["state"]) == (201, "pending")
        later = client.post(
            f"{API}/specs/{nightly}/trigger", json={"params": {"DAY": "monday"}, "at": "2099-01-01T00:00:00Z"}
        )
        assert (later.json()["state"], later.json()["run_at"]) == ("scheduled", "2099-01-01T00:00:00Z")
        assert client.get(later.headers["location"]).json()["arguments"] == {"DAY": "monday"}

    @pytest.mark.parametrize(
        "body", [{"params": {"DAI": "x"}}, {"params": []}, {"at": "soon"}, {"at": 3}, {"x": 1}]
    )
    def test_trigger_with_what_it_cant_take(self, client: httpx.Client, nightly: str, body: object) -> None:
        problem(client.post(f"{API}/specs/{nightly}/trigger", json=body), 422)
        assert client.get(f"{API}/jobs").json() == []

    def test_pause_with_a_reason_and_resume(self, client: httpx.Client, nightly: str) -> None:
        paused = client.post(f"{API}/specs/{nightly}/pause", json={"reason": "the disk is full"}).json()
        assert (paused["paused"], paused["pause_reason"]) == (True, "the disk is full")
        assert client.get(f"{API}/specs").json()[0]["pause_reason"] == "the disk is full"
        resumed = client.post(f"{API}/specs/{nightly}/resume").json()
        assert (resumed["paused"], resumed["pause_reason"]) == (False, None)

    @pytest.mark.parametrize("name", ["nightli", "%00", "..", "x" * 3000])
    def test_what_is_not_there(self, client: httpx.Client, nightly: str, name: str) -> None:
        problem(client.get(f"{API}/specs/{name}"), 404)
        for verb in ("trigger", "pause", "resume"):
            problem(client.post(f"{API}/specs/{name}/{verb}"), 404)


class TestQueues:
    def test_pause_and_resume(self, client: httpx.Client, bench: Bench) -> None:
        bench.enqueue(queue="mail")
        paused = client.post(f"{API}/queues/mail/pause", json={"reason": "spam"}).json()
        assert (paused["paused"], paused["pause_reason"]) == (True, "spam")
        assert client.post(f"{API}/queues/mail/resume").json()["paused"] is False
        assert "did you mean 'mail'" in problem(client.post(f"{API}/queues/mial/resume"), 404)
        problem(client.post(f"{API}/queues/%20/pause"), 422)


ODD = [
    rb'"\ud800"',
    rb'"a\u0000b"',
    b"NaN",
    b"1e999",
    b"-Infinity",
    b"9" * 5000,
    b'{"a":' * 100_000,
    b"\xff",
    b"[1",
]


class TestOddities:
    """What JSON, HTTP or Python can say and a queue can't hold."""

    @pytest.mark.parametrize("odd", ODD, ids=[odd[:8].decode("latin-1") for odd in ODD])
    def test_nowhere_in_a_body(self, client: httpx.Client, bench: Bench, nightly: str, odd: bytes) -> None:
        bench.enqueue()
        headers = {"content-type": "application/json"}
        for path, field in [
            ("jobs", b"command"), ("jobs/1/cancel", b"reason"), ("queues/default/pause", b"reason"),
            (f"specs/{nightly}/pause", b"reason"), (f"specs/{nightly}/trigger", b"at"), ("dead-letters/retry", b"spec"),
            ("dead-letters/retry", b"queue"), (f"specs/{nightly}/trigger", b'params": {"DAY'),
        ]:  # fmt: skip
            ends = b"}}" if b"{" in field else b"}"
            answer = client.post(
                f"{API}/{path}", content=b'{"%s": %s%s' % (field, odd, ends), headers=headers
            )
            assert answer.status_code in {400, 422}, (path, answer.text)
            assert answer.headers["content-type"] == PROBLEM
        assert [job["state"] for job in client.get(f"{API}/jobs").json()] == ["pending"]

    @pytest.mark.parametrize("key", [rb"\ud800", rb"\u0000"])
    def test_nor_as_a_key(self, client: httpx.Client, nightly: str, key: bytes) -> None:
        headers = {"content-type": "application/json"}
        for path, body in (("jobs", b'{"%s": 1}'), (f"specs/{nightly}/trigger", b'{"params": {"%s": 1}}')):
            problem(client.post(f"{API}/{path}", content=body % key, headers=headers), 422)

    def test_nor_in_a_query_or_header(self, client: httpx.Client, nightly: str) -> None:
        for query in (
            "jobs?queue=%ED%A0%80",
            "jobs?label=a%3D%ED%A0%80",
            "specs?cursor=%00",
            "specs?source=%FF",
        ):
            assert client.get(f"{API}/{query}").status_code == 200
        for key in (b"\xed\xa0\x80", b"\x80", b"x" * 300):
            headers = {b"idempotency-key": key}
            assert client.post(f"{API}/jobs", json={"command": "x"}, headers=headers).status_code in {
                201,
                422,
            }


class TestAccess:
    def test_who_only_looks_changes_nothing(self, reader: httpx.Client, bench: Bench) -> None:
        job = bench.in_state(JobState.DEAD)
        assert reader.get(f"{API}/jobs/{job.id}").status_code == 200
        for method, path in [
            ("POST", "jobs"), ("POST", f"jobs/{job.id}/retry"), ("DELETE", f"jobs/{job.id}"),
            ("POST", "dead-letters/retry"), ("DELETE", "dead-letters"), ("POST", "queues/default/pause"),
        ]:  # fmt: skip
            problem(reader.request(method, f"{API}/{path}"), 403)
        assert reader.get(f"{API}/jobs/{job.id}").json()["state"] == "dead"

    def test_a_method_that_isnt_there_says_which_are(self, client: httpx.Client) -> None:
        answer = client.put(f"{API}/jobs")
        problem(answer, 405)
        assert answer.headers["allow"] == "GET, POST"

    def test_a_queue_that_is_gone(self, client: httpx.Client, queuectl: Queuectl) -> None:
        for file in queuectl.folder.glob("q.db*"):
            file.unlink()
        assert "there is no queue" in problem(client.post(f"{API}/jobs", json={"command": "x"}), 503)
        assert "there is no queue" in problem(client.get(f"{API}/jobs"), 503)


def pages(client: httpx.Client, url: str) -> list[httpx.Response]:
    """Every page of a list."""
    found = [client.get(url)]
    while following := found[-1].links.get("next"):
        assert len(found) < 20
        found.append(client.get(following["url"]))
    return found
