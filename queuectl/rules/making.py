"""How a job is made of a spec, whoever makes it: a fire, an apply, a trigger or an enqueue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from queuectl.model.config import Config
from queuectl.model.job import NewJob
from queuectl.model.spec import JobSpec
from queuectl.model.states import BlockedBy, JobState
from queuectl.rules.freeze import freeze
from queuectl.rules.gate import at_gate
from queuectl.rules.params import with_arguments

NO_ARGUMENTS: Mapping[str, Any] = {}


def job_of(
    spec: JobSpec,
    config: Config,
    *,
    version: int | None,
    state: JobState,
    run_at: int,
    fire_at: int | None = None,
    expires_at: int | None = None,
    reason: str | None = None,
    key: str | None = None,
    blocked_by: BlockedBy | None = None,
    flow: int | None = None,
    arguments: Mapping[str, Any] = NO_ARGUMENTS,
) -> NewJob:
    """Return the job that runs `spec` as it is now; `version` is None for an ad-hoc one. Instants in ms.

    `arguments` are values of its parameters. ValueError where they are wrong.
    """
    if spec.params or arguments:
        spec = with_arguments(spec, arguments)
    new = NewJob(
        frozen=freeze(spec, config),
        key=key,
        spec=spec.name if version is not None else None,
        spec_version=version,
        state=state,
        run_at=run_at,
        expires_at=expires_at,
        fire_at=fire_at,
        reason=reason,
        blocked_by=blocked_by,
        flow=flow,
    )
    return at_gate(new)
