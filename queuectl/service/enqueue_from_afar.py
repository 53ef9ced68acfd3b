"""Enqueue for somebody who is not here: the fields of a job come in, and there is no current folder."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from queuectl.model.errors import UsageError
from queuectl.service.context import Context
from queuectl.service.enqueue import Enqueued, enqueue
from queuectl.service.jobs import find
from queuectl.specs.enqueue import spec_from_mapping


def enqueue_object(
    ctx: Context,
    fields: Mapping[str, Any],
    *,
    key: str | None = None,
    delay_ms: int | None = None,
    needs: Sequence[str] = (),
) -> Enqueued:
    """Put a job in the queue as `enqueue` does with a JSON object, after the same checks.

    `cwd`, where `fields` leave it out, is the home folder of this user, as with cron; relative paths are below it.
    `needs` are ids as people write them. UsageError, ConflictError, UnknownError.
    """
    spec, named = spec_from_mapping(fields, cwd=_home(), default_zone=ctx.config.timezone)
    if key is not None and named is not None and key != named:
        raise UsageError(
            f"key: expected '{key}' as in Idempotency-Key, found '{named}'; leave one of them out"
        )
    if key == "":
        raise UsageError("Idempotency-Key: expected a text that isn't empty")
    needed = tuple(dict.fromkeys(find(ctx, one).id for one in needs))
    return enqueue(ctx, spec, key=key or named, delay_ms=delay_ms, needs=needed)


def _home() -> str:
    home = os.path.expanduser("~")  # noqa: PTH111  Path.expanduser raises instead
    if not os.path.isabs(home):  # noqa: PTH117  as above
        raise UsageError("cwd: there is no home folder here to run in; name a folder")
    return home
