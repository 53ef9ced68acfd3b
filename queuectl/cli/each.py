"""Doing the same to several things: one that fails doesn't keep the others from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from queuectl.model.errors import QueuectlError

Thing = TypeVar("Thing")
Result = TypeVar("Result")


def for_each(things: Iterable[Thing], act: Callable[[Thing], Result], done: Callable[[Result], None]) -> None:
    """Act on each thing and report it with `done`; at the end raise what went wrong, all of it."""
    errors: list[QueuectlError] = []
    for thing in things:
        try:
            done(act(thing))
        except QueuectlError as error:
            errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        together = type(errors[0])("\n".join(str(error) for error in errors))
        raise together
