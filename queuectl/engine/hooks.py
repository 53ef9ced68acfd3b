"""Call hooks: each is a job of its own, made with what it tells about, in the same transaction."""

from __future__ import annotations

import msgspec

from queuectl.model.config import Config
from queuectl.model.job import AttemptEnd, Job
from queuectl.model.states import JobState
from queuectl.model.transition import Transition
from queuectl.rules.hooks import events_of, hooks_for, message, spec_of
from queuectl.rules.making import job_of
from queuectl.store.store import Store


class HookCaller:
    """Calls hooks on a queue."""

    def __init__(self, store: Store, config: Config) -> None:
        self._store = store
        self._config = config

    def call(self, job: Job, end: AttemptEnd, transition: Transition, now: int) -> None:
        """Make the jobs of the hooks that the end of an attempt calls, inside the caller's transaction.

        Each has a key of its own, so that none is made twice for one event.
        """
        for event in events_of(job, end, transition):
            for number, hook in enumerate(hooks_for(event, job.frozen, self._config)):
                new = job_of(
                    spec_of(hook, event, job),
                    self._config,
                    version=None,
                    state=JobState.PENDING,
                    run_at=now,
                    key=f"on_{event}:{job.id}:{job.attempt}:{number}",
                    reason=f"on_{event} of job {job.id}",
                )
                made = self._store.jobs.enqueue(new, now=now)
                if made is not None:
                    told = message(event, job, end, transition, now=now)
                    self._store.jobs.give_input(made.id, msgspec.json.encode(told).decode())
