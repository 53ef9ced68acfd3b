"""What streams: changes of the queue, and outputs while they are written. From a real server."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from queuectl.web.live import MOST_WATCHERS, Changes, TooManyWatchersError
from tests.command import Queuectl
from tests.web.conftest import Server

API = "api/v1"


@contextmanager
def streaming(server: Server, path: str, **headers: str) -> Iterator[Iterator[tuple[str, Any, str | None]]]:
    """The events of a stream as they come: name, data and id."""
    with server.client() as client, client.stream("GET", f"{API}/{path}", headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield events(answer)


def events(answer: httpx.Response) -> Iterator[tuple[str, Any, str | None]]:
    event: dict[str, str] = {}
    for line in answer.iter_lines():
        if line and not line.startswith(":"):
            name, _, value = line.partition(":")
            event[name] = value.strip()
        elif "event" in event:
            data = event.get("data")
            yield event["event"], json.loads(data) if data else None, event.get("id")
            event = {}


def test_a_change_is_told(queuectl: Queuectl, server: Server) -> None:
    with streaming(server, "events") as stream:
        queuectl("enqueue", "date")
        assert next(stream) == ("changed", None, None)


def test_an_output_is_followed_to_the_end_of_the_job(queuectl: Queuectl, server: Server) -> None:
    gate = queuectl.folder / "gate"
    queuectl(
        "enqueue", f"printf 'one \\303'; until test -e {gate}; do sleep 0.05; done; printf '\\251\\ntwo\\n'"
    )
    with streaming(server, "jobs/1/logs/stream") as stream:  # it hasn't run yet
        assert next(stream) == ("attempt", {"attempt": 1}, "1:0")
        queuectl.start("run", "--until-idle")
        assert next(stream) == ("output", {"text": "one "}, "1:4")  # half of a character waits for the rest
        gate.touch()
        rest = list(stream)
    text = "".join(data["text"] for name, data, _ in rest if name == "output")
    assert text == "é\ntwo\n"
    assert rest[-1] == ("end", {"state": "completed", "attempt": 1, "outcome": "succeeded"}, "end")


def test_later_attempts_follow_unless_one_is_named(queuectl: Queuectl, server: Server) -> None:
    queuectl("enqueue", "echo $QUEUECTL_ATTEMPT; exit 1", "--max-retries", "1")
    queuectl("run", "--until-idle", code=1)
    with streaming(server, "jobs/1/logs/stream?attempt=1") as stream:
        one = [(name, data) for name, data, _ in stream]
    assert one[1:] == [
        ("output", {"text": "1\n"}),
        ("end", {"state": "dead", "attempt": 1, "outcome": "failed"}),
    ]
    with streaming(
        server, "jobs/1/logs/stream", **{"Last-Event-ID": "1:1"}
    ) as stream:  # a connection was lost
        rest = [(name, data) for name, data, _ in stream]
    assert rest == [
        ("attempt", {"attempt": 1}),
        ("output", {"text": "\n"}),
        ("attempt", {"attempt": 2}),
        ("output", {"text": "2\n"}),
        ("end", {"state": "dead", "attempt": 2, "outcome": "failed"}),
    ]
    with server.client() as client:
        again = client.get(f"{API}/jobs/1/logs/stream", headers={"Last-Event-ID": "end"})
        assert again.status_code == 204
        assert client.get(f"{API}/jobs/1/logs/stream?attempt=3").status_code == 404


@pytest.mark.parametrize("last", ["x", "1", ":", "9" * 50 + ":0", "1:" + "9" * 50, "-1:0", ""])
def test_an_id_that_is_none(queuectl: Queuectl, server: Server, last: str) -> None:
    queuectl("enqueue", "echo hi")
    queuectl("run", "--until-idle")
    with streaming(server, "jobs/1/logs/stream", **{"Last-Event-ID": last}) as stream:
        assert [data for name, data, _ in stream if name == "output"] == [{"text": "hi\n"}]


def test_a_job_that_never_runs_ends_its_stream(queuectl: Queuectl, server: Server) -> None:
    queuectl("enqueue", "date")
    with streaming(server, "jobs/1/logs/stream") as stream:
        next(stream)
        queuectl("cancel", "1")
        assert next(stream)[:2] == ("end", {"state": "cancelled", "attempt": None, "outcome": None})


def test_the_server_ends_though_somebody_reads(queuectl: Queuectl, server: Server) -> None:
    queuectl("enqueue", "date")
    with streaming(server, "events"), streaming(server, "jobs/1/logs/stream") as stream:
        next(stream)
        assert server.stop() == 0
        assert list(stream) == []


def test_a_reader_that_leaves_makes_room(server: Server, queuectl: Queuectl) -> None:
    queuectl("enqueue", "date")
    for _ in range(60):  # more than may read at once
        with streaming(server, "jobs/1/logs/stream") as stream:
            next(stream)


def test_too_many_watchers_are_told_so(tmp_path: Path) -> None:
    changes = Changes(tmp_path / "q.db")
    changes.check_room()
    changes._watchers |= {object() for _ in range(MOST_WATCHERS)}  # type: ignore[misc]
    with pytest.raises(TooManyWatchersError, match="close a page"):
        changes.check_room()


def test_a_raw_client_that_hangs_up_is_no_fault(server: Server, queuectl: Queuectl) -> None:
    queuectl("enqueue", "date")
    url = httpx.URL(server.url)
    with socket.create_connection((url.host, url.port or 80)) as raw:
        request = f"GET /{API}/jobs/1/logs/stream HTTP/1.1\r\nHost: {url.host}\r\nAuthorization: Bearer {server.token}"
        raw.sendall(f"{request}\r\n\r\n".encode())
        assert b"200 OK" in raw.recv(1000)
    with server.client() as client:
        assert client.get(f"{API}/jobs/1").status_code == 200
    assert server.stop() == 0
    log = (queuectl.folder / "dashboard.log").read_text()
    assert "Traceback" not in log


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\0" * 100 + b"\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"POST /api/v1/jobs HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    ],
    ids=range(6),
)
def test_what_is_no_http_is_refused_and_harms_nobody(server: Server, garbage: bytes) -> None:
    url = httpx.URL(server.url)
    with socket.create_connection((url.host, url.port or 80), timeout=10) as raw:
        raw.sendall(garbage)
        assert b" 4" in raw.recv(1000)[:14]
    with server.client() as client:
        assert client.get(f"{API}/status").status_code == 200
    assert "Traceback" not in server.stderr()
