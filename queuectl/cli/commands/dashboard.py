"""`queuectl dashboard`."""

from __future__ import annotations

import socket
from typing import Any

import click

from queuectl.cli.dashboard import site_of
from queuectl.cli.lazy import Command
from queuectl.cli.options import database_option, open_queue


@click.command(
    cls=Command,
    examples="""
    queuectl dashboard
    queuectl dashboard --port 9000
    queuectl dashboard --host 0.0.0.0 --allow-host queue.example.org
    """,
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0: any free one."
)
@click.option(
    "--allow-host", "hosts", multiple=True, metavar="NAME", help="A name under which it may be asked for."
)
@click.option("--base-path", default="", metavar="PATH", help="Where a reverse proxy shows it: /queue.")
@click.option("--no-auth", is_flag=True, help="Ask nobody for a token; only on this machine.")
@click.option("--fd", type=click.IntRange(3, 65535), hidden=True)
@database_option
def command(
    *, host: str, port: int, hosts: tuple[str, ...], base_path: str, no_auth: bool, fd: int | None
) -> None:
    """Show and steer the queue in a browser.

    Prints a link to click, with the token that is needed for everything. It runs no job itself.
    """
    from queuectl.web.beside import step_aside  # noqa: PLC0415  loads a web server
    from queuectl.web.serve import links, listen, serve  # noqa: PLC0415

    where: dict[str, Any] = {"hosts": hosts, "base_path": base_path}
    with listen(host, port, is_open=no_auth) if fd is None else socket.socket(fileno=fd) as listener:
        with open_queue(create=True, rehearse=lambda ctx: site_of(ctx, **where, no_auth=True)) as ctx:
            site = site_of(ctx, **where, no_auth=no_auth)
        if fd is not None:
            serve(site, listener, lifeline=step_aside())
            return
        shown = links(site, host, listener.getsockname()[1])
        serve(site, listener, ready=lambda: click.echo("\n".join(shown)))
