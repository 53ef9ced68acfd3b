"""Pages, rendered here, kept live by a little JavaScript."""

from queuectl.web.pages import dead, job, jobs, log, overview, settings, spec, specs, workers

routers = (
    overview.router,
    jobs.router,
    job.router,
    log.router,
    specs.router,
    spec.router,
    dead.router,
    workers.router,
    settings.router,
)
