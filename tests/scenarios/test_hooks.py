"""Hooks: a real receiver, a real mail server, and workers that are killed in between."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from queuectl.service.notify import example
from tests.command import Queuectl

KEY = base64.b64encode(b"a secret").decode()


class Receiver:
    """Takes webhooks; fails the first `down` of them."""

    def __init__(self) -> None:
        self.down = 0
        self.got: list[tuple[dict[str, str], bytes]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(503 if len(receiver.got) <= receiver.down else 204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.got]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.close()


def test_a_webhook_is_signed_and_sent_until_it_is_taken(queuectl: Queuectl, receiver: Receiver) -> None:
    receiver.down = 2
    queuectl.spec(
        "backup",
        f"command: echo the disk is full; exit 3\nretries: 0\n"
        f"on_dead: {{webhook: '{receiver.url}', secret: {{from_env: KEY}}}}\n",
    )
    queuectl("apply", "jobs.d")
    queuectl("run", "--until-idle", code=1, KEY=f"whsec_{KEY}")
    assert queuectl.states() == {1: "dead", 2: "completed"}
    assert len(receiver.got) == 3
    headers, body = receiver.got[-1]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    right = base64.b64encode(hmac.new(b"a secret", signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{right}"
    assert len({one["webhook-id"] for one, _ in receiver.got}) == 1, "so that a receiver knows it again"
    message = json.loads(body)
    assert (message["type"], message["data"]["output"]) == ("job.dead", "the disk is full")
    assert (message["data"]["job"]["spec"], message["data"]["job"]["state"]) == ("backup", "dead")
    assert KEY not in queuectl("get", "2", "-o", "json") + queuectl("logs", "2")


def test_a_url_that_can_never_be_notified_is_refused_at_its_place(queuectl: Queuectl) -> None:
    queuectl.spec("text", "command: x\non_dead: nosuch://user:hunter2@h\n")
    queuectl.spec("list", "command: x\non_failure: [./tell, {notify: 'mailto://'}, {webhook: 'ftp://h'}]\n")
    queuectl.spec("ref", "command: x\non_dead: {notify: {from_env: URL}}\n")
    done = queuectl.run("apply", "jobs.d")
    assert (done.returncode, done.stdout) == (3, "")
    assert "jobs.d/list.yaml:2:22: on_failure[1]: expected the URL of a service" in done.stderr
    assert (
        "jobs.d/list.yaml:2:45: on_failure[2]: expected a URL such as https://example.org/hook" in done.stderr
    )
    queuectl.spec("list", "command: x\non_failure: [./tell, {notify: 'mailto://?x'}]\n")
    done = queuectl.run("apply", "jobs.d")
    assert (done.returncode, done.stdout) == (3, "")
    assert (
        "jobs.d/text.yaml:2:10: on_dead: nosuch://… is no URL of a service that apprise knows" in done.stderr
    )
    assert "jobs.d/list.yaml:2:31: on_failure: mailto://… is no URL of a service" in done.stderr
    assert "2 errors in 2 files; nothing was changed" in done.stderr
    assert "hunter2" not in done.stderr


def test_each_end_calls_its_hooks(queuectl: Queuectl) -> None:
    told = queuectl.folder / "told"
    queuectl.spec(
        "flaky",
        f"command: '[ $QUEUECTL_ATTEMPT = 3 ]'\nretries: 2\nbackoff: {{base: 10ms}}\n"
        f"on_success: &tell 'echo $QUEUECTL_EVENT $(wc -c) >> {told}'\non_failure: *tell\non_dead: *tell\n",
    )
    queuectl("apply", "jobs.d")
    queuectl("run", "--until-idle")
    events = sorted(line.split()[0] for line in told.read_text().splitlines())
    assert events == ["failure", "failure", "success"]
    assert all(int(line.split()[1]) > 100 for line in told.read_text().splitlines())


def test_a_hook_that_fails_changes_nothing_about_its_job_and_calls_none(queuectl: Queuectl) -> None:
    queuectl.spec("fine", "command: 'true'\non_success: exit 1\n")
    queuectl("apply", "jobs.d")
    queuectl("config", "set", "on-dead", f"touch {queuectl.folder}/called")
    queuectl("run", "--until-idle", code=1, QUEUECTL_MAX_RETRIES="1")
    assert queuectl.states() == {1: "completed", 2: "dead"}
    assert not (queuectl.folder / "called").exists()


def test_what_is_configured_is_called_where_a_spec_says_nothing(
    queuectl: Queuectl, receiver: Receiver
) -> None:
    queuectl("config", "set", "on-dead", receiver.url)
    queuectl.spec("quiet", "command: exit 1\nretries: 0\n")
    queuectl.spec("own", f"command: exit 1\nretries: 0\non_dead: touch {queuectl.folder}/own\n")
    queuectl("apply", "jobs.d")
    queuectl("run", "--until-idle", code=1)
    assert [one["data"]["job"]["spec"] for one in receiver.messages()] == ["quiet"]
    assert (queuectl.folder / "own").exists()


def test_once_for_each_death_also_when_the_worker_is_killed_with_it(
    queuectl: Queuectl, receiver: Receiver
) -> None:
    queuectl("config", "set", "on-dead", receiver.url)
    for _ in range(5):
        queuectl("enqueue", "kill -9 $PPID", "--max-retries", "0")
    worker = queuectl.start("run", "--slots", "1")
    for _ in range(5):
        worker.wait(20)
        worker = queuectl.start("run", "--slots", "1")
    queuectl.wait_until(lambda: len(receiver.got) == 5, "each death is told")
    worker.send_signal(signal.SIGTERM)
    worker.wait(20)
    assert sorted(one["data"]["job"]["id"] for one in receiver.messages()) == [1, 2, 3, 4, 5]


def test_a_mail_is_sent(queuectl: Queuectl) -> None:
    mails: list[bytes] = []

    class Keeper:
        async def handle_DATA(  # noqa: N802  as aiosmtpd calls it
            self, _server: Any, _session: Any, envelope: Any
        ) -> str:
            mails.append(envelope.content)
            return "250 OK"

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = Controller(Keeper(), hostname="127.0.0.1", port=port)
    server.start()
    try:
        url = f"mailto://127.0.0.1:{port}?from=queue@example.org&to=ops@example.org&mode=insecure"
        queuectl.spec("backup", f"command: echo no space; exit 3\nretries: 0\non_dead: {{notify: '{url}'}}\n")
        queuectl("apply", "jobs.d")
        queuectl("run", "--until-idle", code=1)
    finally:
        server.stop()
    (mail,) = mails
    assert b"queuectl: backup is dead" in mail
    assert queuectl.states() == {1: "dead", 2: "completed"}


def test_what_is_configured_is_checked_when_it_is_set_and_shown_without_secrets(queuectl: Queuectl) -> None:
    for value, says in [
        ("slakc://a/b", "slakc://… is no URL of a service that apprise knows"),
        ("https://", "expected a URL such as https://example.org/hook"),
    ]:
        done = queuectl.run("config", "set", "on-dead", value)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"queuectl: config on-dead: {says}"), done.stderr
    said = queuectl("config", "set", "on-dead", "https://hooks.example.org/services/T0/hunter2?key=hunter3")
    assert said == "on-dead = webhook https://hooks.example.org/…\n"
    assert "hunter" not in queuectl("config", "list", "-o", "json")


def test_keys_and_input_that_are_none_are_one_line(queuectl: Queuectl, receiver: Receiver) -> None:
    hook = {"HOOK_KIND": "webhook", "HOOK_URL": receiver.url, "HOOK_SECRET": "whsec_!"}
    event = json.dumps(example())
    done = queuectl.run("notify", "send", stdin=event, **hook)
    assert (done.returncode, done.stderr) == (2, "queuectl: secret: expected base64 after whsec_\n")
    for command in (["notify", "send"], ["notify", "test", "-"]):
        argv, env = queuectl.argv(*command), queuectl.env | hook
        raw = subprocess.run(argv, env=env, input=b"\xff\xfe", capture_output=True, timeout=30, check=False)
        assert (raw.returncode, raw.stderr.count(b"\n")) == (2, 1), raw.stderr
        assert b"expected" in raw.stderr
    assert receiver.got == []


def test_notify_test_says_what_happened(queuectl: Queuectl, receiver: Receiver) -> None:
    assert queuectl("notify", "test", receiver.url) == "sent: answered 204\n"
    receiver.down = 2
    done = queuectl.run("notify", "test", receiver.url)
    assert (done.returncode, done.stderr) == (
        1,
        f"queuectl: {receiver.url.removesuffix('hook')}… answered 503 Service Unavailable; expected 2xx\n",
    )
    for url, says in [
        ("", "expected a command or a URL"),
        ("http://[::1/", "expected a URL"),
        ("http://127.0.0.1:99999/", "expected a URL"),
        ("echo hello", "expected a URL"),
        ("nowhere://x", "no URL of a service that apprise knows"),
    ]:
        done = queuectl.run("notify", "test", url)
        assert done.returncode == 2
        assert says in done.stderr
