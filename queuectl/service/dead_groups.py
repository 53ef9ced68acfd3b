"""Dead letters by what they have in common: the spec, or else the command, and the error."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec
from msgspec.structs import replace

from queuectl.model.dead import DeadLetter
from queuectl.model.errors import ConflictError, UnknownError
from queuectl.model.job import Job
from queuectl.model.states import JobState
from queuectl.rules.alike import alike
from queuectl.rules.hooks import last_lines
from queuectl.service import dead_letters, jobs
from queuectl.service.context import Context
from queuectl.store.listing import JobFilter

LOOKED_AT = 5_000
"""Dead jobs that are grouped, the newest: more would take longer than a page may."""
_LETTERS = 200
_LAST_BYTES = 2_000
_STAYS = (ConflictError, UnknownError)


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """What the dead jobs of a group have in common."""

    spec: str | None = None
    command: str | None = None
    """Where there is no spec; what differs from job to job is `…` in it."""
    error: str = ""

    @property
    def name(self) -> str:
        """The spec, or else the command."""
        return self.spec or self.command or "jobs without a spec"


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Dead jobs of a kind."""

    kind: Kind
    ids: Sequence[int]
    """Of the jobs, what died last first."""
    newest_at: int
    oldest_at: int


class Groups(msgspec.Struct, frozen=True, kw_only=True):
    """The groups, that of what died last first."""

    groups: Sequence[Group]
    looked_at: int
    """How many jobs they are made of."""
    dead: int
    """How many there are."""


class Redriven(msgspec.Struct, frozen=True, kw_only=True):
    """What came of doing something with many."""

    done: int
    refused: str | None = None
    """Why the first one that it could not be done with stayed."""


def groups(ctx: Context) -> Groups:
    """Return the newest dead jobs in groups."""
    dead = ctx.store.jobs.counts()[JobState.DEAD]
    newest = ctx.store.history.newest_dead(limit=LOOKED_AT)
    members: dict[Kind, list[DeadLetter]] = {}
    for letter in newest:
        members.setdefault(_kind_of(letter), []).append(letter)
    found = [
        Group(kind=kind, ids=[one.id for one in all_], newest_at=all_[0].at, oldest_at=all_[-1].at)
        for kind, all_ in members.items()
    ]
    return Groups(groups=found, looked_at=len(newest), dead=dead)


def last_words(ctx: Context, job_ids: Sequence[int]) -> dict[int, str]:
    """Return the last line that each of some jobs has written, by job."""
    ends = ctx.store.attempts.last_output(job_ids, limit=_LAST_BYTES)
    lines = {job_id: last_lines(end).rstrip().rpartition("\n")[2].strip() for job_id, end in ends.items()}
    return {job_id: line for job_id, line in lines.items() if line}


def retry(ctx: Context, kind: Kind | None) -> Redriven:
    """Dead → pending with failures at 0, all of a kind that are dead now; None: of every kind."""

    def act(batch: Sequence[Job]) -> None:
        dead_letters.retry(ctx, batch)

    return _each_batch(ctx, kind, act)


def forget(ctx: Context, kind: Kind | None) -> Redriven:
    """Forget all of a kind that are dead now, their attempts and outputs; None: of every kind."""

    def act(batch: Sequence[Job]) -> None:
        dead_letters.forget(ctx, batch)

    return _each_batch(ctx, kind, act)


def _each_batch(ctx: Context, kind: Kind | None, act: Callable[[Sequence[Job]], None]) -> Redriven:
    """In batches, so that workers never wait long. What can't be done with a batch is done with each job of it."""
    done, refused = 0, None
    for batch in _members(ctx, kind):
        try:
            act(batch)
            done += len(batch)
        except _STAYS:
            for job in batch:
                try:
                    act([job])
                    done += 1
                except _STAYS as error:
                    refused = refused or str(error)
    return Redriven(done=done, refused=refused)


def _members(ctx: Context, kind: Kind | None) -> Iterator[Sequence[Job]]:
    wanted = JobFilter(states=dead_letters.DEAD, spec=kind.spec if kind else None)
    while batch := ctx.store.jobs.list(wanted, limit=jobs.BATCH):
        wanted = replace(wanted, before_id=batch[-1].id)  # what dies again meanwhile isn't chased
        found = [job for job in batch if kind is None or _kind_of(_letter(job)) == kind]
        if found:
            yield found


def _letter(job: Job) -> DeadLetter:
    command = job.frozen.command
    text = command if isinstance(command, str) else msgspec.json.encode(command).decode()
    return DeadLetter(
        id=job.id,
        spec=job.spec,
        command=None if job.spec else text[:_LETTERS],
        reason=job.reason,
        at=job.updated_at,
    )


def _kind_of(letter: DeadLetter) -> Kind:
    command = None if letter.command is None else alike(letter.command)
    return Kind(spec=letter.spec, command=command, error=alike(letter.reason or ""))
