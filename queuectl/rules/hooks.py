"""Hooks: which of them something calls, and what they run and are told."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec.structs import replace

from queuectl.model.config import Config
from queuectl.model.env import EnvRef
from queuectl.model.hook import Hook, HookEvent
from queuectl.model.job import AttemptEnd, Job
from queuectl.model.spec import JobSpec
from queuectl.model.states import JobState, Outcome
from queuectl.model.transition import Transition
from queuectl.rules.shapes import instant, job_view

SEND = ("queuectl", "notify", "send")
"""What a notification or webhook runs; the URL is in `HOOK_URL`, the key in `HOOK_SECRET`."""
SEND_TIMEOUT_MS = 60_000
LAST_LINES, LAST_BYTES = 20, 4096
_HTTP = re.compile(r"https?://[^/\s?#@]+(?:[/?#]\S*)?")
KEY_PREFIX = "whsec_"
"""Of keys as Standard Webhooks has them: base64 follows."""
_URL = re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)
_NO_FAILURE = frozenset({Outcome.SUCCEEDED, Outcome.INTERRUPTED, Outcome.CANCELLED, Outcome.SNOOZED})


def events_of(job: Job, end: AttemptEnd, transition: Transition) -> Iterator[HookEvent]:
    """Say what the end of an attempt is to hooks. That of a hook's own job is nothing."""
    if job.frozen.event is not None:
        return
    if transition.state is JobState.COMPLETED:
        yield "success"
    elif (
        end.outcome not in _NO_FAILURE
        and not end.out_of_resources
        and transition.state is not JobState.CANCELLED
    ):
        yield "failure"
    if transition.state is JobState.DEAD:
        yield "dead"


def hooks_for(event: HookEvent, spec: JobSpec, config: Config) -> Sequence[Hook]:
    """Return what is called; the configured `on-dead` where the spec says nothing of it."""
    hooks: Sequence[Hook] = getattr(spec.hooks, event)
    if event == "dead" and not hooks and config.on_dead is not None:
        return [config.on_dead]
    return hooks


def spec_of(hook: Hook, event: HookEvent, job: Job) -> JobSpec:
    """Return what the job of a hook runs: in the folder, queue and environment of the job that it tells about."""
    about = job.frozen
    if hook.command is not None:
        command, env, env_file, timeout = hook.command, about.env, about.env_file, None
    else:
        url, secret = hook.webhook or hook.notify, hook.secret
        given = {"HOOK_URL": url, "HOOK_SECRET": secret, "HOOK_KIND": "webhook" if hook.webhook else "notify"}
        command, env_file, timeout = SEND, (), SEND_TIMEOUT_MS
        env = {name: value for name, value in given.items() if value is not None}
    return JobSpec(
        description=f"on_{event} of job {job.id}" + (f" ({job.spec})" if job.spec else ""),
        command=command,
        shell=about.shell,
        cwd=about.cwd,
        env=env,
        env_file=env_file,
        arguments=about.arguments if hook.command is not None else {},
        timeout_ms=timeout,
        queue=about.queue,
        priority=about.priority,
        labels=about.labels,
        event=event,
    )


def message(
    event: HookEvent, job: Job, end: AttemptEnd, transition: Transition, *, now: int
) -> dict[str, Any]:
    """Return what a hook reads from stdin, as JSON."""
    done = replace(
        job,
        state=transition.state,
        reason=transition.reason,
        failures=transition.failures,
        exit_code=end.exit_code,
        run_at=transition.run_at or job.run_at,
        updated_at=now,
        finished_at=now if transition.finished else None,
    )
    return {
        "type": f"job.{event}",
        "timestamp": instant(now),
        "data": {
            "job": job_view(done),
            "attempt": {
                "number": job.attempt,
                "outcome": end.outcome,
                "exit_code": end.exit_code,
                "signal": end.signal,
                "error": end.error,
                "started_at": instant(job.updated_at),
                "finished_at": instant(now),
            },
            "output": last_lines(end.output),
        },
    }


def last_lines(output: bytes) -> str:
    """Return the end of an output, as text."""
    text = output[-LAST_BYTES:].decode("utf-8", "replace")
    return "\n".join(text.splitlines()[-LAST_LINES:])


def parse_hook(text: str) -> Hook:
    """Read a hook that is a text: the URL of a webhook or of a notification, or else a command.

    ValueError for a text that is none of them.
    """
    if not text.strip() or "\0" in text:
        raise ValueError(f"expected a command or a URL, found {text!r}")
    if text.lower().startswith(("http://", "https://")):
        return Hook(webhook=text)
    return Hook(notify=text) if _URL.fullmatch(text) else Hook(command=text)


def check_hook(hook: Hook) -> None:
    """Raise ValueError for what no attempt could run: programs, URLs and keys that can't be."""
    if isinstance(hook.command, tuple) and not hook.command[0]:
        raise ValueError("command: expected a program at the head of the list; found an empty text")
    if isinstance(hook.webhook, str) and not _is_http(hook.webhook):
        raise ValueError(
            "expected a URL such as https://example.org/hook, without a user name or password in it"
        )
    if isinstance(hook.notify, str) and not _URL.fullmatch(hook.notify):
        raise ValueError("expected the URL of a service, such as slack://… or mailto://…")
    if hook.secret is not None and hook.webhook is None:
        raise ValueError("secret: only a webhook is signed")
    if isinstance(hook.secret, str):
        signing_key(hook.secret)


def signing_key(secret: str) -> bytes:
    """Return the key that webhooks are signed with. ValueError where what follows the prefix is no base64."""
    if not secret.startswith(KEY_PREFIX):
        return secret.encode()
    from base64 import b64decode  # noqa: PLC0415  only where a webhook is signed

    try:
        return b64decode(secret.removeprefix(KEY_PREFIX), validate=True)
    except ValueError:
        raise ValueError(f"secret: expected base64 after {KEY_PREFIX}") from None


def shown(hook: Hook) -> str:
    """Show a hook without what may be secret in it."""
    if hook.command is not None:
        return hook.command if isinstance(hook.command, str) else " ".join(hook.command)
    url = hook.webhook or hook.notify
    kind = "webhook" if hook.webhook else "notify"
    if isinstance(url, EnvRef):
        return f"{kind} from {url.from_env or url.from_file}"
    return f"{kind} {shown_url(url or '')}"


def shown_url(url: str) -> str:
    """Show a URL without what may be secret in it: of a web address the host, of a service's its name.

    >>> shown_url("https://hooks.example.org/services/T0/B1/abc?x=y"), shown_url("slack://a/b/c")
    ('https://hooks.example.org/…', 'slack://…')
    """
    scheme, _, rest = url.partition("://")
    host = re.split("[/?#]", rest, maxsplit=1)[0] if _HTTP.fullmatch(url) else ""
    return f"{scheme}://{host}" if host == rest else f"{scheme}://{host}{'/' if host else ''}…"


def _is_http(url: str) -> bool:
    if not _HTTP.fullmatch(url):
        return False
    from urllib.parse import urlsplit  # noqa: PLC0415  only where there is a webhook

    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False
