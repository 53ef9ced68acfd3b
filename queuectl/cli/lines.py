"""Many jobs from a stream, a line each: enqueued in batches, each of them all or nothing."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import BinaryIO

import click

from queuectl.cli.ad_hoc import LONGEST_LINE, Reader
from queuectl.cli.progress import counter
from queuectl.cli.shown import plural
from queuectl.model.errors import QueuectlError, UsageError
from queuectl.model.job import Job
from queuectl.service.context import Context
from queuectl.service.enqueue import Enqueued, Request, enqueue_all

BATCH_LINES = 5_000
"""At most: others wait for their turn to write meanwhile, some 50 ms."""
_CHUNK = 1 << 20

Batch = list[tuple[int, str]]
"""Lines: their numbers and texts."""


class Tally:
    """What is in the queue by now."""

    def __init__(self) -> None:
        self.created = 0
        self.known = 0
        """Jobs whose key was there already."""
        self.first_id = self.last_id = 0
        """Of those that were created."""
        self.upto = 0
        """Number of the last line that is done."""

    def add(self, made: Sequence[Enqueued], upto: int) -> None:
        """Count a batch that ends with line `upto`."""
        ids = [one.job.id for one in made if one.created]
        if ids:
            self.first_id = self.first_id or ids[0]
            self.last_id = ids[-1]
        self.created += len(ids)
        self.known += len(made) - len(ids)
        self.upto = upto

    def __str__(self) -> str:
        ids = f"{self.first_id}–{self.last_id}" if self.created > 1 else f"{self.first_id}"
        which = f" ({ids})" if self.created else ""
        known = f", {plural(self.known, 'job')} known by key" if self.known else ""
        return f"{plural(self.created, 'job')} enqueued{which}{known}"

    def resume(self) -> str:
        """Say what is done, and where to go on."""
        if not self.upto:
            return "nothing was enqueued"
        done = plural(self.created + self.known, "job")
        return (
            f"the {done} up to line {self.upto} are enqueued, none after it: go on from line {self.upto + 1}"
        )


def enqueue_lines(
    ctx: Context,
    reader: Reader,
    lines: Iterable[Batch],
    each: Callable[[list[Job]], object] | None = None,
) -> Tally:
    """Enqueue `batches` as they come in; `each` is called with the jobs of every one, once they are in the queue.

    Whatever ends it early, a bad line, the store, Ctrl-C, or a reader that has gone, says what is enqueued.
    """
    tally = Tally()
    with counter("jobs enqueued") as progress, _resumable(tally):
        for batch in lines:
            requests = _requests(reader, batch)
            with _uninterrupted():
                made = enqueue_all(ctx, requests)
                tally.add(made, batch[-1][0])
            if each:
                each([one.job for one in made])
            progress(tally.created + tally.known)
    return tally


def rehearse_first(ctx: Context, reader: Reader, lines: Iterator[Batch]) -> list[Batch]:
    """Enqueue the first batch, if there is one, in a queue that nothing outlives; return it."""
    first: list[Batch] = []
    with _resumable(Tally()):
        for batch in islice(lines, 1):
            enqueue_all(ctx, _requests(reader, batch))
            first.append(batch)
    return first


@contextmanager
def _resumable(tally: Tally) -> Iterator[None]:
    """Say, whatever ends the block early, what is enqueued and where to go on."""
    try:
        yield
    except QueuectlError as error:
        between = "\n" if "\n" in str(error) else "; "
        raise type(error)(f"{error}{between}{tally.resume()}") from None
    except BaseException:
        click.echo(f"queuectl: {tally.resume()}", err=True)
        raise


def batches(stream: BinaryIO) -> Iterator[Batch]:
    """Yield lines that aren't empty, as many at a time as have come in, within limits."""
    rest, number = b"", 1
    while chunk := stream.read1(_CHUNK):  # type: ignore[attr-defined]
        *complete, rest = (rest + chunk).split(b"\n")
        for start in range(0, len(complete), BATCH_LINES):
            lines = complete[start : start + BATCH_LINES]
            _check_lengths(lines, number)
            if batch := _texts(lines, number):
                yield batch
            number += len(lines)
        _check_lengths([rest], number)
    if batch := _texts([rest], number):
        yield batch


def _check_lengths(lines: Iterable[bytes], first: int) -> None:
    for number, line in enumerate(lines, first):
        if len(line) > LONGEST_LINE:
            raise UsageError(f"line {number} is longer than 1 MiB")


def _texts(lines: Iterable[bytes], first: int) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    for number, line in enumerate(lines, first):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError:
            raise UsageError(f"line {number} is not UTF-8") from None
        if text:
            found.append((number, text))
    return found


def _requests(reader: Reader, batch: Iterable[tuple[int, str]]) -> list[Request]:
    requests: list[Request] = []
    for number, text in batch:
        place = f"line {number}"
        try:
            requests.append(reader.from_text(text, place))
        except UsageError as error:
            raise UsageError(f"{place}: {error}") from None
    return requests


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Put signals off until the block is done, so that what is said to be enqueued is what is enqueued."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
