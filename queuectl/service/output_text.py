"""The output of jobs as lines and text, wherever it is shown."""

from __future__ import annotations

import codecs
from collections import deque
from collections.abc import Iterable, Iterator

from queuectl.engine.output import Gap, Piece
from queuectl.rules.units import format_size

LONGEST_LINE = 64 * 1024
"""What one line may take of memory when only the last ones are wanted; a longer one is cut in front."""


def as_bytes(pieces: Iterable[Piece]) -> Iterator[bytes]:
    """Return output as it was written, with a line where something was not kept."""
    ended = True
    for piece in pieces:
        content = gap_line(piece, after_line=ended) if isinstance(piece, Gap) else piece
        ended = content.endswith(b"\n")
        yield content


def gap_line(gap: Gap, *, after_line: bool) -> bytes:
    """Return the line that stands where something was not kept."""
    return f"{'' if after_line else chr(10)}[… {format_size(gap.size)} not kept …]\n".encode()


def last_lines(pieces: Iterable[Piece], count: int) -> Iterator[bytes]:
    """Return the last so many lines; a marked gap is one of them."""
    lines: deque[bytes] = deque(maxlen=count)
    rest = b""
    for piece in pieces:
        if isinstance(piece, Gap):
            piece = gap_line(piece, after_line=not rest)  # noqa: PLW2901
        *complete, rest = (rest + piece).split(b"\n")
        lines.extend(line + b"\n" for line in complete)
        rest = rest[-LONGEST_LINE:]
    if rest:
        lines.append(rest)
    return iter(lines)


def as_text(pieces: Iterable[Piece]) -> Iterator[str]:
    """Return output as text, piece by piece, what isn't UTF-8 replaced."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for piece in pieces:
        yield decoder.decode(gap_line(piece, after_line=False) if isinstance(piece, Gap) else piece)
    yield decoder.decode(b"", final=True)
