"""Which gate a job has to pass before it may run."""

from __future__ import annotations

import re

import msgspec
from msgspec.structs import replace

from queuectl.model.job import NewJob
from queuectl.model.spec import JobSpec
from queuectl.model.states import BlockedBy, JobState, OnConflict

_VARIABLE = r"\$\{([^}]*)\}"


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """What lets a job through."""

    slot: str | None = None
    """Whose slots it needs one of."""
    shown: str | None = None
    """The same for people: without the values of env, which are shown nowhere."""
    slot_limit: int | None = None
    on_conflict: OnConflict | None = None
    interval_us: int | None = None
    """Between the starts of two jobs of its spec."""

    def __str__(self) -> str:
        """Say what a job waits for there."""
        return "waits for its rate" if self.slot is None else f"waits for a slot of '{self.shown}'"


def gate_of(spec: JobSpec) -> Gate | None:
    """Return the gate of a spec's jobs; None where there is none."""
    concurrency = spec.concurrency
    if concurrency is None:
        return None if spec.rate_us is None else Gate(interval_us=spec.rate_us)
    return Gate(
        slot=slot_key(spec),
        shown=shown_key(spec),
        slot_limit=concurrency.limit,
        on_conflict=concurrency.on_conflict,
        interval_us=spec.rate_us,
    )


def slot_key(spec: JobSpec) -> str:
    """Return the key of a spec's slots, its variables replaced. ValueError names one that env gives no value."""

    def value(found: re.Match[str]) -> str:
        inner = spec.arguments.get(found[1], spec.env.get(found[1]))
        if found[1] in spec.params and inner is None:
            return found[0]
        if isinstance(inner, str):
            return inner
        why = "is read when the job starts" if inner else "is not in env"
        raise ValueError(f"the variable {found[1]} {why}; expected one that env gives a value")

    return re.sub(_VARIABLE, value, spec.concurrency.key) if spec.concurrency else ""


def shown_key(spec: JobSpec) -> str:
    """Return the key of a spec's slots for people: the values of parameters are in it, those of env are not."""
    key = spec.concurrency.key if spec.concurrency else ""
    return re.sub(_VARIABLE, lambda found: spec.arguments.get(found[1], found[0]), key)


def at_gate(new: NewJob) -> NewJob:
    """Return a new job as it is to be made: one that is ready stops at its gate, if it has one."""
    gate = gate_of(new.frozen) if new.state is JobState.PENDING else None
    if gate is None:
        return new
    return replace(new, state=JobState.BLOCKED, blocked_by=BlockedBy.GATE, reason=str(gate))
