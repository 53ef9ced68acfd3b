"""Dashboards: from what the command line says to a site, and one beside the workers of `run`."""

from __future__ import annotations

import re
from collections.abc import Collection

import click

from queuectl.model.errors import UsageError
from queuectl.service.context import Context
from queuectl.web.site import Site

_LAST_PORT = 65_535
_BASE_PATH = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*")
_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")


def site_of(ctx: Context, *, hosts: Collection[str] = (), base_path: str = "", no_auth: bool = False) -> Site:
    """Return the site of a queue. UsageError for a base path or a host that can't be."""
    from queuectl.web.tokens import tokens_of  # noqa: PLC0415  not needed to say what is wrong

    path = base_path.rstrip("/")
    if not _BASE_PATH.fullmatch(path):
        raise UsageError(f"--base-path: expected a path like /queue, found {base_path!r}")
    names = {name.lower() for name in hosts}
    for name in names:
        if not _NAME.fullmatch(name):
            raise UsageError(f"--allow-host: expected a name like queue.example.org, found {name!r}")
    return Site(
        database=ctx.path,
        tokens=None if no_auth else tokens_of(ctx.path),
        hosts=frozenset(names),
        base_path=path,
        overrides=ctx.overrides,
    )


def address(text: str) -> tuple[str, int]:
    """Read `[HOST:]PORT`; the host is this machine where none is named. UsageError."""
    host, _, port = text.rpartition(":")
    if not port.isascii() or not port.isdecimal() or len(port) > 5 or int(port) > _LAST_PORT:
        raise UsageError(f"--dashboard: expected a port such as 8080, or 0.0.0.0:8080; found {text!r}")
    return host.removeprefix("[").removesuffix("]") or "127.0.0.1", int(port)


def dashboard_beside(ctx: Context, host: str, port: int) -> None:
    """Start a dashboard that lives as long as this process. UsageError where it can't listen."""
    from queuectl.web.beside import start_beside  # noqa: PLC0415  loads a web server
    from queuectl.web.serve import links, listen  # noqa: PLC0415

    site = site_of(ctx)
    listener = listen(host, port)
    shown = links(site, host, listener.getsockname()[1])
    start_beside(listener, ["--db", str(ctx.path), "--host", host])
    for line in shown:
        click.echo(line, err=True)
