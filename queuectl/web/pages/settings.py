"""The settings: which value of each is in force here, and where it comes from."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from queuectl.model.version import VERSION
from queuectl.service.settings import Setting, entries
from queuectl.web.asking import Queue, ThisSite
from queuectl.web.pages.render import page

router = APIRouter()


@router.get("/settings")
def show(request: Request, ctx: Queue, site: ThisSite) -> HTMLResponse:
    """Show the configuration that is in force."""
    return page(
        request,
        "settings.html",
        settings=entries(ctx),
        place=_place,
        path=ctx.path,
        log_dir=ctx.log_dir,
        who=ctx.who,
        version=VERSION,
        needs_token=site.tokens is not None,
    )


def _place(setting: Setting) -> str:
    """Return where a value was written."""
    match setting.origin:
        case "set":
            return f"queuectl config set {setting.key}"
        case "environment":
            return f"QUEUECTL_{setting.key.replace('-', '_').upper()}"
        case "flag":
            return f"--{setting.key}"
        case "default":
            return "default"
