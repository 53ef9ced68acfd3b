"""Notify people and programs of what became of a job: webhooks, and the services that apprise knows."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args

from queuectl.model.errors import QueuectlError, SpecFault, UsageError
from queuectl.model.hook import HookEvent
from queuectl.model.spec import JobSpec
from queuectl.model.version import VERSION
from queuectl.rules.hooks import shown_url, signing_key

TIMEOUT_S = 30


class NotSentError(QueuectlError):
    """The other side could not be reached, or did not take it."""


def send_webhook(url: str, body: bytes, *, message_id: str, now_s: int, secret: str | None) -> int:
    """POST JSON to a URL, signed as Standard Webhooks 1.0 says where there is a secret. Returns the status, a 2xx.

    Redirects are not followed: what is behind them was not named. NotSentError for anything else.
    """
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"queuectl/{VERSION}",
        "webhook-id": message_id,
        "webhook-timestamp": str(now_s),
    }
    if secret is not None:
        try:
            headers["webhook-signature"] = signature(secret, message_id, now_s, body)
        except ValueError as error:
            raise UsageError(str(error)) from None
    request = urllib.request.Request(url, data=body, headers=headers, method="POST")  # noqa: S310  checked: http(s)
    opener = urllib.request.build_opener(_NoRedirects)
    try:
        with opener.open(request, timeout=TIMEOUT_S) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        raise NotSentError(f"{shown_url(url)} answered {error.code} {error.reason}; expected 2xx") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise NotSentError(f"{shown_url(url)} can't be reached: {reason}") from None


def signature(secret: str, message_id: str, now_s: int, body: bytes) -> str:
    """Return what a receiver compares: `v1,` and the HMAC-SHA256 of id, time and body, in base64."""
    key = signing_key(secret)
    signed = f"{message_id}.{now_s}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def send_notification(url: str, title: str, text: str) -> None:
    """Send a message through one of apprise's services. UsageError for a URL that it does not know; NotSentError."""
    service = _service(url)
    try:
        sent = service.notify(body=text, title=title)
    except TypeError as error:
        raise NotSentError(f"{shown_url(url)} was not notified: {error}") from None
    if not sent:
        raise NotSentError(f"{shown_url(url)} was not notified: the service did not take the message")


def check_notification_url(url: str) -> None:
    """Raise UsageError for a URL that apprise can't notify, or where it is not installed."""
    _service(url)


def bad_urls(specs: Iterable[JobSpec]) -> Iterator[SpecFault]:
    """Say which notifications of the specs could never be sent. URLs that come from elsewhere can't be looked at."""
    for spec in specs:
        for event in get_args(HookEvent):
            for index, hook in enumerate(getattr(spec.hooks, event)):
                if isinstance(hook.notify, str):
                    try:
                        check_notification_url(hook.notify)
                    except UsageError as error:
                        yield SpecFault(spec.name or "", (f"on_{event}", index, "notify"), str(error))


def title_and_text(message: Mapping[str, Any]) -> tuple[str, str]:
    """Say an event for people: `queuectl: nightly-dump is dead`, and why, with the end of its output."""
    job = message["data"]["job"]
    name = job["spec"] or job["key"] or f"job {job['id']}"
    became = {"job.success": "has completed", "job.failure": "has failed", "job.dead": "is dead"}[
        message["type"]
    ]
    lines = [
        f"job {job['id']}: {job['reason'] or job['state']}",
        f"attempt {message['data']['attempt']['number']}, {message['timestamp']}",
    ]
    if message["data"]["output"]:
        lines += ["", "the last lines of its output:", message["data"]["output"]]
    return f"queuectl: {name} {became}", "\n".join(lines)


def example() -> dict[str, Any]:
    """Return a message to test with."""
    job = {"id": 0, "spec": "example", "key": None, "state": "dead", "reason": "a test of this notification"}
    return {
        "type": "job.dead",
        "timestamp": "2026-01-01T00:00:00Z",
        "data": {
            "job": job,
            "attempt": {"number": 1, "outcome": "failed", "exit_code": 1},
            "output": "it works",
        },
    }


def parsed(text: str) -> dict[str, Any]:
    """Read a message. UsageError where it is none."""
    try:
        message: dict[str, Any] = json.loads(text)
        title_and_text(message)
    except (ValueError, KeyError, TypeError):
        raise UsageError("stdin: expected an event as hooks get it, as JSON") from None
    return message


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def _service(url: str) -> Any:
    try:
        import apprise  # noqa: PLC0415  an extra, and slow
    except ImportError:
        raise UsageError("notify needs the extra: pip install 'queuectl[notify]'") from None
    service = apprise.Apprise.instantiate(url, suppress_exceptions=True)
    if service is None:
        raise UsageError(
            f"{shown_url(url)} is no URL of a service that apprise knows, or something is missing in it"
        )
    return service
