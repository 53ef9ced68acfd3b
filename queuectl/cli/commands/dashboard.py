"""`queuectl dashboard`."""

from __future__ import annotations

import click

from queuectl.cli.lazy import Command
from queuectl.cli.options import database_option, open_queue
from queuectl.model.errors import UsageError


@click.command(
    cls=Command,
    examples="""
    queuectl dashboard
    queuectl dashboard --port 9000
    queuectl dashboard --host 0.0.0.0 --allow-host queue.example.org
    """,
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0: any free one.")
@click.option("--allow-host", "hosts", multiple=True, metavar="NAME", help="A name under which it may be asked for.")
@click.option("--base-path", default="", metavar="PATH", help="Where a reverse proxy shows it: /queue.")
@click.option("--no-auth", is_flag=True, help="Ask nobody for a token; only on this machine.")
@database_option
def command(*, host: str, port: int, hosts: tuple[str, ...], base_path: str, no_auth: bool) -> None:
    """Show and steer the queue in a browser.

    Prints a link to click, with the token that is needed for everything. It runs no job itself.
    """
    from queuectl.web.serve import serve  # noqa: PLC0415  loads a web server
    from queuectl.web.site import Site  # noqa: PLC0415
    from queuectl.web.tokens import tokens_of  # noqa: PLC0415

    path = base_path.rstrip("/")
    if path and not path.startswith("/"):
        raise UsageError(f"--base-path: expected a path like /queue, found {base_path!r}")
    with open_queue(create=True) as ctx:
        site = Site(
            database=ctx.path,
            tokens=None if no_auth else tokens_of(ctx.path),
            hosts=frozenset(name.lower() for name in hosts),
            base_path=path,
            overrides=ctx.overrides,
        )
    serve(site, host, port, say=click.echo)
