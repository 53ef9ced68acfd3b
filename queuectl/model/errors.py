"""Every error a person may see, each with the exit code that it ends a command with."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class QueuectlError(Exception):
    """Something queuectl can't do, said in one line that names the object and the way out."""

    exit_code = 1


class UnknownError(QueuectlError):
    """A job, spec, queue or worker that isn't there."""


class ConflictError(QueuectlError):
    """The object is in a state that doesn't allow this, or is held by another source."""


class UsageError(QueuectlError):
    """A value or an option that can't be used."""

    exit_code = 2


class InvalidSpecError(QueuectlError):
    """One or more spec files are wrong; the message lists every error of every file."""

    exit_code = 3


class SpecFault(msgspec.Struct, frozen=True):
    """What is wrong with a spec, where its file no longer has to be at hand."""

    spec: str
    path: tuple[str | int, ...]
    """From the job's fields to what is wrong: `("needs", 0)`."""
    message: str


class SpecFaultsError(InvalidSpecError):
    """What is wrong with specs beside each other; whoever has read the files says where it stands in them."""

    def __init__(self, faults: Sequence[SpecFault]) -> None:
        super().__init__("\n".join(f"{fault.spec}: {fault.message}" for fault in faults))
        self.faults = faults


class StoreUnavailableError(QueuectlError):
    """The store is busy, full, read-only or out of reach; nothing was changed."""

    exit_code = 4


class StoreBusyError(StoreUnavailableError):
    """Another process holds the store's lock; the same call may succeed later."""


class StoreFullError(StoreUnavailableError):
    """There is no room for what was to be written."""


class StoreFailedError(StoreUnavailableError):
    """The disk reports errors. What was being written counts as not written, even where a second try seems to work."""


class StoreInvalidError(QueuectlError):
    """The store is damaged, no queue at all, or was made by a newer queuectl; its bytes were not changed."""

    exit_code = 5
