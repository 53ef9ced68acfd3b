"""Pages, rendered here, kept live by a little JavaScript."""

from queuectl.web.pages import overview

routers = (overview.router,)
