"""Windows: a part of what an attempt wrote, so that nobody has to take all of a long output at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import takewhile

import msgspec

from queuectl.engine.output import Gap, Piece
from queuectl.model.job import Attempt
from queuectl.service.context import Context
from queuectl.service.logs import extent, written

Placed = tuple[int, Piece]
"""A piece, and where it begins."""


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """Pieces of an output that follow one another. Places are bytes from the start of all that was written."""

    start: int
    end: int
    pieces: Sequence[Piece]
    over: bool
    """Nothing follows: this is the end of it, and the attempt has ended."""


def window_before(
    ctx: Context, attempt: Attempt, end: int | None = None, *, limit: int, lines: int | None = None
) -> Window:
    """Return what an attempt wrote before a place (None: until now), from the start of a line on.

    At most `limit` bytes and so many lines. A gap is shown whole.
    """
    size, gaps = extent(ctx, attempt)
    end = size if end is None else max(0, min(end, size))
    start = max(0, end - limit)
    start = next((low for low, high in gaps if low < start < high), start)
    found = _until(end, _placed(ctx, attempt, start))
    found = _from_line(found) if start else found
    found = found if lines is None else _last_lines(found, lines)
    return Window(
        start=found[0][0] if found else start,
        end=end,
        pieces=[piece for _, piece in found],
        over=end == size and attempt.outcome is not None,
    )


def window_after(ctx: Context, attempt: Attempt, start: int, *, limit: int) -> Window:
    """Return what an attempt wrote from a place on, until now; about `limit` bytes at most.

    Who asks for what follows its `end`, with the attempt as it is then, misses nothing.
    """
    pieces: list[Piece] = []
    end, seen = start, 0
    for end, piece in written(ctx, attempt, start):
        pieces.append(piece)
        seen += len(piece) if isinstance(piece, bytes) else 0
        if seen >= limit:
            return Window(start=start, end=end, pieces=pieces, over=False)
    return Window(start=start, end=end, pieces=pieces, over=attempt.outcome is not None)


def _placed(ctx: Context, attempt: Attempt, start: int) -> Iterable[Placed]:
    return ((end - _size(piece), piece) for end, piece in written(ctx, attempt, start))


def _until(end: int, placed: Iterable[Placed]) -> list[Placed]:
    return [
        (at, piece[: end - at] if isinstance(piece, bytes) else piece)
        for at, piece in takewhile(lambda one: one[0] < end, placed)
    ]


def _from_line(found: list[Placed]) -> list[Placed]:
    """Leave out the rest of a line that the window begins in, unless that is all there is."""
    at, first = found[0] if found else (0, b"")
    if isinstance(first, Gap):
        return found
    cut = first.find(b"\n") + 1
    return [(at + cut, first[cut:]), *found[1:]] if 0 < cut < len(first) else found


def _last_lines(found: list[Placed], lines: int) -> list[Placed]:
    for number in range(len(found) - 1, -1, -1):
        at, piece = found[number]
        if isinstance(piece, Gap):
            continue
        is_end = number == len(found) - 1 and piece.endswith(b"\n")
        place = len(piece) - 1 if is_end else len(piece)
        while lines and (place := piece.rfind(b"\n", 0, place)) >= 0:
            lines -= 1
        if not lines:
            return [(at + place + 1, piece[place + 1 :]), *found[number + 1 :]]
    return found


def _size(piece: Piece) -> int:
    return len(piece) if isinstance(piece, bytes) else piece.size
