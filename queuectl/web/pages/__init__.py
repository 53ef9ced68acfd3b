"""Pages, rendered here, kept live by a little JavaScript."""

from queuectl.web.pages import job, jobs, log, overview

routers = (overview.router, jobs.router, job.router, log.router,)
