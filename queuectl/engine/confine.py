"""What an attempt may take of the machine, and who it runs as: set between fork and exec."""

from __future__ import annotations

import os
import pwd
import resource
from collections.abc import Callable
from functools import partial
from typing import Any

from queuectl.engine.launch import CannotStartError
from queuectl.model.spec import JobSpec, Limits

NO_LIMITS = Limits()
_KILL_AFTER_S = 5
"""From SIGXCPU to SIGKILL, in processor time."""


def is_confined(frozen: JobSpec) -> bool:
    """Whether a job has limits, or a user of its own."""
    return frozen.limits != NO_LIMITS or frozen.user is not None


def confinement(frozen: JobSpec) -> dict[str, Any]:
    """Return what Popen needs for it. Raises CannotStartError for a user that there is not, or may not be."""
    options: dict[str, Any] = {}
    if frozen.limits != NO_LIMITS:
        options["preexec_fn"] = _setter(frozen.limits)
    if frozen.user is not None:
        user = user_named(frozen.user)
        if os.getuid() != user.pw_uid:
            groups = os.getgrouplist(user.pw_name, user.pw_gid)
            options |= {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": groups}
    return options


def user_named(name: str) -> pwd.struct_passwd:
    """Return a user that this worker may run jobs as. Raises CannotStartError."""
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        raise CannotStartError(f"user {name} does not exist on this machine") from None
    if os.getuid() not in {0, user.pw_uid}:
        raise CannotStartError(f"user {name}: only a worker that is root can run jobs as somebody else")
    return user


def _setter(limits: Limits) -> Callable[[], None]:
    """Prepare everything, so that next to nothing is left to do in the child."""
    wanted: list[tuple[int, int, int]] = []
    if limits.memory_bytes is not None:
        wanted.append((resource.RLIMIT_AS, limits.memory_bytes, limits.memory_bytes))
    if limits.cpu_time_ms is not None:
        seconds = -(-limits.cpu_time_ms // 1000)
        wanted.append((resource.RLIMIT_CPU, seconds, seconds + _KILL_AFTER_S))
    if limits.open_files is not None:
        wanted.append((resource.RLIMIT_NOFILE, limits.open_files, limits.open_files))
    allowed = [(kind, _within(kind, soft), _within(kind, hard)) for kind, soft, hard in wanted]
    return partial(_set, allowed, limits.nice)


def _within(kind: int, value: int) -> int:
    """Nobody but root may be given more than there is."""
    _, hard = resource.getrlimit(kind)
    return value if hard == resource.RLIM_INFINITY else min(value, hard)


def _set(limits: list[tuple[int, int, int]], nice: int | None) -> None:
    for kind, soft, hard in limits:
        resource.setrlimit(kind, (soft, hard))
    if nice:
        os.nice(nice)
