"""The Python API: what the command line can do, as methods of one object."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec
from msgspec.structs import replace

from queuectl.model.env import EnvRef
from queuectl.model.errors import UsageError
from queuectl.model.job import Job
from queuectl.model.spec import DEFAULT_QUEUE, JobSpec
from queuectl.model.states import JobState
from queuectl.service.context import Context, opened
from queuectl.service.enqueue import Request, enqueue, enqueue_all

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from queuectl.rules.plan import Plan
    from queuectl.service.apply import Applied
    from queuectl.service.backfill import Backfill
    from queuectl.service.flows import Flow
    from queuectl.service.status import Status
    from queuectl.service.why import Why

    Duration = str | float | timedelta
    """`"10m"`, a number of seconds, or a timedelta."""
    Instant = str | datetime | int
    """ISO 8601, an aware datetime, or milliseconds since the epoch."""

_LAST_INSTANT = 253_402_300_799_999
"""The end of the year 9999, in ms."""


class Queue:
    """An open queue, made where there is none; close it, or use it in a `with` block.

    Used by one thread of one process. Errors are subclasses of `queuectl.model.errors.QueuectlError`.

    >>> with Queue("queue.db") as queue:          # doctest: +SKIP
    ...     job = queue.enqueue("make report", retries=2, timeout="10m")
    ...     queue.wait(job.id).state
    """

    def __init__(self, path: str | Path | None = None, **config: str | float) -> None:
        """Open the queue at `path`, else the one that QUEUECTL_DB names, else the user's own.

        `config` beats the environment and what is set in the queue: `Queue(timezone="Europe/Berlin")`.
        """
        self._stack = ExitStack()
        overrides = {key: str(value) for key, value in config.items()}
        place = None if path is None else str(path)
        self._ctx = self._stack.enter_context(opened(place, create=True, overrides=overrides))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def context(self) -> Context:
        """What the use cases in `queuectl.service` take as their first argument."""
        return self._ctx

    def close(self) -> None:
        """Let go of the queue."""
        self._stack.close()

    def enqueue(
        self,
        command: str | Sequence[str],
        *,
        key: str | None = None,
        priority: int = 0,
        queue: str = DEFAULT_QUEUE,
        retries: int | None = None,
        timeout: Duration | None = None,
        run_at: Instant | None = None,
        delay: Duration | None = None,
        env: Mapping[str, str | EnvRef] | None = None,
        cwd: str | Path | None = None,
        needs: Collection[int | str] = (),
    ) -> Job:
        """Put a command in the queue: a string for the shell, or a list of arguments.

        An existing `key` with the same command gives its job back. `timeout` may be `"none"`; `needs` are jobs that
        must complete first. UsageError for values that can't be used, ConflictError for a key with another command.
        """
        due, later = self._when(run_at, delay)
        spec = JobSpec(
            command=_command(command),
            cwd=_folder(cwd),
            env=env or {},
            priority=priority,
            queue=queue,
            retries=retries,
            timeout_ms="none" if timeout == "none" else _milliseconds("timeout", timeout),
        )
        needed = tuple(dict.fromkeys(self.get(job).id for job in needs))
        return enqueue(self._ctx, _typed(spec), key=key, run_at_ms=due, delay_ms=later, needs=needed).job

    def enqueue_many(
        self,
        commands: Iterable[str | Sequence[str]],
        *,
        priority: int = 0,
        queue: str = DEFAULT_QUEUE,
        retries: int | None = None,
        timeout: Duration | None = None,
        run_at: Instant | None = None,
        delay: Duration | None = None,
        env: Mapping[str, str | EnvRef] | None = None,
        cwd: str | Path | None = None,
    ) -> Sequence[Job]:
        """Put many commands in the queue, all or nothing, and return their jobs in the same order.

        They are one transaction, for which everybody else waits: give it some 10,000 at a time. UsageError names
        the command that can't be used.
        """
        due, later = self._when(run_at, delay)
        same = JobSpec(
            command="",
            cwd=_folder(cwd),
            env=env or {},
            priority=priority,
            queue=queue,
            retries=retries,
            timeout_ms="none" if timeout == "none" else _milliseconds("timeout", timeout),
        )
        requests = (
            Request(
                spec=_typed(replace(same, command=_command(command)), place),
                run_at_ms=due,
                delay_ms=later,
                place=place,
            )
            for place, command in zip(map("command {}".format, count(1)), commands, strict=False)
        )
        return [made.job for made in enqueue_all(self._ctx, requests)]

    def apply(
        self, *paths: str | Path, source: str | None = None, prune: bool = False, adopt: bool = False
    ) -> Applied:
        """Make the queue match spec files and folders, all or nothing."""
        from queuectl.service.apply import apply  # noqa: PLC0415

        return apply(self._ctx, _files(paths), source=source, prune=prune, adopt=adopt)

    def plan(
        self, *paths: str | Path, source: str | None = None, prune: bool = False, adopt: bool = False
    ) -> Plan:
        """Return what `apply` would change."""
        from queuectl.service.apply import plan  # noqa: PLC0415

        return plan(self._ctx, _files(paths), source=source, prune=prune, adopt=adopt)

    def get(self, job: int | str) -> Job:
        """Return a job by its number, its key, or the name of the spec whose newest it is. UnknownError."""
        from queuectl.service.jobs import find  # noqa: PLC0415

        return find(self._ctx, str(job))

    def list(
        self,
        *,
        states: Collection[JobState | str] | None = None,
        spec: str | None = None,
        queue: str | None = None,
        labels: Mapping[str, str] | None = None,
        limit: int = 100,
    ) -> Sequence[Job]:
        """Return jobs, newest first; with `labels` those that have all of them."""
        from queuectl.service.jobs import list_jobs  # noqa: PLC0415
        from queuectl.store.listing import JobFilter  # noqa: PLC0415

        wanted = None if states is None else frozenset(map(_state, states))
        chosen = JobFilter(states=wanted, spec=spec, queue=queue)
        return list_jobs(self._ctx, chosen, labels=labels or {}, limit=limit)

    def cancel(self, job: int | str, *, reason: str | None = None) -> Job:
        """Waiting → cancelled; running → its worker is asked to stop it. ConflictError when it is over."""
        from queuectl.service.jobs import cancel  # noqa: PLC0415

        return cancel(self._ctx, self.get(job), reason=reason)

    def retry(self, job: int | str, *, as_was: bool = False) -> Job:
        """Run a job again, with its spec as it is now, or as it was. A completed one becomes a new job."""
        from queuectl.service.jobs import retry  # noqa: PLC0415

        return retry(self._ctx, self.get(job), as_was=as_was)

    def wait(self, job: int | str, *, timeout: Duration | None = None) -> Job:
        """Wait until a job is completed, dead or cancelled, and return it as it is then."""
        from queuectl.service.jobs import wait  # noqa: PLC0415

        return wait(self._ctx, [self.get(job)], timeout_ms=_milliseconds("timeout", timeout))[0]

    def output(self, job: int | str, *, attempt: int | None = None) -> bytes:
        """Return what is kept of the output of a job's latest attempt, or of the one with that number."""
        from queuectl.service.logs import pieces  # noqa: PLC0415

        found = pieces(self._ctx, self.get(job), attempt)
        return b"".join(piece for piece in found if isinstance(piece, bytes))

    def status(self) -> Status:
        """Return counts, rates, workers and the next fires."""
        from queuectl.service.status import status  # noqa: PLC0415

        return status(self._ctx)

    def trigger(
        self, name: str, *, arguments: Mapping[str, Any] | None = None, run_at: Instant | None = None
    ) -> Job:
        """Make a job of a spec, now or at an instant. `arguments` are values of its parameters; UsageError."""
        from queuectl.service.specs import trigger  # noqa: PLC0415

        return trigger(self._ctx, [name], arguments=arguments or {}, at=self._instant(run_at))[0]

    def backfill(
        self,
        name: str,
        start: Instant,
        end: Instant | None = None,
        *,
        spacing: Duration | None = None,
        again: bool = False,
        dry_run: bool = False,
        arguments: Mapping[str, Any] | None = None,
    ) -> Backfill:
        """Make a job for each instant that a spec was due from `start` to before `end`, or before now."""
        from queuectl.service.backfill import backfill  # noqa: PLC0415

        first, last = self._instant(start), self._instant(end)
        return backfill(
            self._ctx,
            name,
            start=first or 0,
            end=self._ctx.now() if last is None else last,
            spacing_ms=_milliseconds("spacing", spacing, allow_zero=True) or 0,
            again=again,
            dry_run=dry_run,
            arguments=arguments or {},
        )

    def why(self, name: int | str) -> Why:
        """Say why a job or a spec does not run just now, and what would change it."""
        from queuectl.service.why import why  # noqa: PLC0415

        return why(self._ctx, str(name))

    def flow(self, job: int | str) -> Flow:
        """Return the jobs that belong together with a job. UnknownError where it is part of no flow."""
        from queuectl.service.flows import flow_of  # noqa: PLC0415

        return flow_of(self._ctx, self.get(job))

    def run(self, *, until_idle: bool = True, slots: int = 4, queues: Sequence[str] = ()) -> int:
        """Be the scheduler and a worker until nothing is left to do, or for ever; return the exit code.

        Takes over the process's signals meanwhile: call it from the main thread. Events go to the logger
        `queuectl` and are shown as the calling program has it.
        """
        from queuectl.service.run import RunOptions, run  # noqa: PLC0415

        options = RunOptions(
            slots=slots,
            queues=tuple(queues),
            until_idle=until_idle,
            log_format=None,
            own_process=False,
        )
        return run(self._ctx, options)

    def _when(self, run_at: Instant | None, delay: Duration | None) -> tuple[int | None, int | None]:
        if run_at is not None and delay is not None:
            raise UsageError("expected run_at or delay, found both")
        return self._instant(run_at), _milliseconds("delay", delay, allow_zero=True)

    def _instant(self, run_at: Instant | None) -> int | None:
        if run_at is None:
            return None
        from queuectl.rules.instants import parse_instant  # noqa: PLC0415

        if isinstance(run_at, int):
            if run_at > _LAST_INSTANT:
                raise UsageError(f"run_at: expected milliseconds up to the year 9999, found {run_at}")
            return run_at
        try:
            text = run_at if isinstance(run_at, str) else run_at.isoformat()
            return parse_instant(text, zone=self._ctx.config.timezone, now_ms=self._ctx.now())
        except ValueError as error:
            raise UsageError(f"run_at: {error}") from None


def _command(command: str | Sequence[str]) -> str | tuple[str, ...]:
    return command if isinstance(command, str) else tuple(command)


def _folder(cwd: str | Path | None) -> str | None:
    return None if cwd is None else str(Path(cwd).expanduser().absolute())


def _typed(spec: JobSpec, place: str = "a value") -> JobSpec:
    """Return the spec if all its values are of their types; else nobody could read the job again."""
    try:
        return msgspec.convert(msgspec.to_builtins(spec), JobSpec)
    except (msgspec.ValidationError, TypeError) as error:
        raise UsageError(f"{place} can't be used: {str(error)[:1].lower()}{str(error)[1:]}") from None


def _files(paths: Sequence[str | Path]) -> list[Path]:
    if not paths:
        raise UsageError("expected the path of a spec file or folder, found none")
    return [Path(path) for path in paths]


def _milliseconds(field: str, value: Duration | None, *, allow_zero: bool = False) -> Any:
    if value is None:
        return None
    from queuectl.rules.units import parse_duration  # noqa: PLC0415

    try:
        seconds = value if isinstance(value, str | int | float) else value.total_seconds()
        return parse_duration(seconds, allow_zero=allow_zero)
    except ValueError as error:
        raise UsageError(f"{field}: {error}") from None


def _state(name: JobState | str) -> JobState:
    try:
        return JobState(name)
    except ValueError:
        raise UsageError(f"there is no state {name!r}; expected one of {', '.join(JobState)}") from None
