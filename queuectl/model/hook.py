"""Hooks: what runs when something has become of a job."""

from __future__ import annotations

from typing import Literal

import msgspec

from queuectl.model.env import EnvRef

HookEvent = Literal["success", "failure", "dead"]


class Hook(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A command, a notification or a webhook: exactly one of the three is set."""

    command: str | tuple[str, ...] | None = None
    notify: str | EnvRef | None = None
    """URL of a service that apprise knows: `slack://…`, `mailto://…`."""
    webhook: str | EnvRef | None = None
    """URL that gets the event as JSON."""
    secret: str | EnvRef | None = None
    """Key that a webhook is signed with, as Standard Webhooks says."""


class Hooks(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What runs when."""

    success: tuple[Hook, ...] = ()
    """The job has completed."""
    failure: tuple[Hook, ...] = ()
    """An attempt has failed; the last one, too."""
    dead: tuple[Hook, ...] = ()
    """The job is in the DLQ."""
