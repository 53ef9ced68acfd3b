"""The output of jobs, on a terminal or in a pipe."""

from __future__ import annotations

import codecs
import sys
from collections.abc import Iterable

from queuectl.cli.visible import visible
from queuectl.engine.output import Piece
from queuectl.service.output_text import as_bytes


class OutputPrinter:
    """Prints pieces of output: on a terminal control characters are shown, elsewhere the bytes are exact."""

    def __init__(self, *, raw: bool) -> None:
        self._safe = sys.stdout.isatty() and not raw
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def print(self, pieces: Iterable[Piece]) -> None:
        """Write the pieces as they come; each is seen at once."""
        sys.stdout.flush()
        ended = True
        for content in as_bytes(pieces):
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
