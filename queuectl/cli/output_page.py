"""The output of jobs, on a terminal or in a pipe."""

from __future__ import annotations

import codecs
import sys
from collections import deque
from collections.abc import Iterable, Iterator

from queuectl.cli.visible import visible
from queuectl.engine.output import Gap, Piece
from queuectl.rules.units import format_size

LONGEST_LINE = 64 * 1024
"""What one line may take of memory when only the last ones are wanted; a longer one is cut in front."""


class OutputPrinter:
    """Prints pieces of output: on a terminal control characters are shown, elsewhere the bytes are exact."""

    def __init__(self, *, raw: bool) -> None:
        self._safe = sys.stdout.isatty() and not raw
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def print(self, pieces: Iterable[Piece]) -> None:
        """Write the pieces as they come; each is seen at once."""
        sys.stdout.flush()
        ended = True
        for piece in pieces:
            content = gap_line(piece, after_line=ended) if isinstance(piece, Gap) else piece
            ended = content.endswith(b"\n")
            self._write(content)
        if self._safe:
            self._write_text(self._decoder.decode(b"", final=True))
            if not ended:
                self._write_text("\n")

    def _write(self, content: bytes) -> None:
        if self._safe:
            self._write_text(self._decoder.decode(content))
        else:
            sys.stdout.buffer.write(content)
            sys.stdout.buffer.flush()

    def _write_text(self, text: str) -> None:
        sys.stdout.write(safe_text(text))
        sys.stdout.flush()


def safe_text(text: str) -> str:
    """Make control characters visible; line ends of either kind and tabs stay."""
    return visible(text.replace("\r\n", "\n"), lines=True)


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
