r"""ANSI: what a job wrote for a terminal, as text in spans that name its colours. Nothing in it is obeyed.

Colours, bold and the like become classes; colours beyond the sixteen become the nearest of these. Other escapes mean
nothing in a page and are left out; what is left of control characters is shown: `\x07`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter

from markupsafe import Markup, escape

from queuectl.rules.visible import HIDDEN, visible

_NUMBERS = "[0-?]{0,128}"
_STRING = "[^\x00-\x1f\x7f-\x9f]{0,2048}"  # no other escape, nor a line: what never ends is looked at once
_TOKEN = re.compile(
    rf"(?:\x1b\[|\x9b)(?P<numbers>{_NUMBERS})[ -/]{{0,8}}(?P<final>[@-~])"  # CSI
    rf"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f]){_STRING}(?:\x07|\x1b\\|\x9c)"  # titles, links and the like
    r"|\x1b[ -/]{0,8}[0-OQ-WYZ\\`-~]"  # other escapes
    r"|(?P<line>\r\n?)"
    rf"|(?P<hidden>(?:(?![\n\t\r\x1b\x80-\x9f]){HIDDEN})+|(?![\n\t]){HIDDEN})"
)
_UNFINISHED = re.compile(
    rf"\x1b(?:\[{_NUMBERS}[ -/]{{0,8}}|[\]PX^_]{_STRING}\x1b?|[ -/]{{0,8}})"
    rf"|\x9b{_NUMBERS}[ -/]{{0,8}}|[\x9d\x90\x98\x9e\x9f]{_STRING}\x1b?|\r"
)
_LONGEST = 2100
"""Characters that what is unfinished may have."""

_NAMES = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
_RGB = (
    (0, 0, 0),
    (205, 0, 0),
    (0, 205, 0),
    (205, 205, 0),
    (0, 0, 238),
    (205, 0, 205),
    (0, 205, 205),
    (229, 229, 229),
)
_GREY = (127, 127, 127)
_ON = {1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "inverse", 9: "strike"}
_OFF = {22: ("bold", "dim"), 23: ("italic",), 24: ("underline",), 27: ("inverse",), 29: ("strike",)}


class Painter:
    r"""Turns text into HTML, piece by piece: colours go on from one piece to the next.

    >>> Painter().paint("a <b> \x1b[31mred\x1b[0m")
    Markup('a &lt;b&gt; <span class="ansi-red">red</span>')
    """

    def __init__(self) -> None:
        self._unfinished = ""
        self._on: set[str] = set()
        self._colour = ""
        self._ground = ""

    def paint(self, text: str, *, last: bool = False) -> Markup:
        """Return the next piece. An escape at its end that may go on waits for the next one unless it is the `last`."""
        text = self._unfinished + text
        keep = 0 if last else _unfinished(text)
        self._unfinished = text[len(text) - keep :]
        return Markup("").join(self._runs(text[: len(text) - keep]))

    @property
    def pending(self) -> int:
        """Bytes at the end that wait for what follows them."""
        return len(self._unfinished.encode("utf-8", "replace"))

    def _runs(self, text: str) -> Iterator[Markup]:
        for classes, pieces in groupby(self._pieces(text), itemgetter(0)):
            yield _span("".join(piece for _, piece in pieces), classes)

    def _pieces(self, text: str) -> Iterator[tuple[list[str], str]]:
        """Yield what is to be read, with the classes that it has."""
        at = 0
        for token in _TOKEN.finditer(text):
            if token.start() > at:
                yield self._classes(), text[at : token.start()]
            at = token.end()
            if token["final"] == "m":
                self._set(token["numbers"])
            elif token["line"]:
                yield self._classes(), "\n"
            elif token["hidden"]:
                yield self._classes(), visible(token["hidden"])
        if at < len(text):
            yield self._classes(), text[at:]

    def _classes(self) -> list[str]:
        # On a coloured ground all text has the same colour: no two of the others go together legibly.
        colour = self._colour if not self._ground and "inverse" not in self._on else ""
        found = [f"ansi-{name}" for name in (*sorted(self._on), colour) if name]
        return [*found, f"ansi-on-{self._ground}"] if self._ground and "inverse" not in self._on else found

    def _set(self, numbers: str) -> None:
        """Take over what one SGR escape says."""
        codes = [int(one) if one.isdecimal() and len(one) < 6 else 0 for one in re.split("[;:]", numbers)]
        rest = iter(codes)
        for code in rest:
            if code == 0:
                self._on, self._colour, self._ground = set(), "", ""
            elif code in _ON:
                self._on = self._on | {_ON[code]}
            elif code in _OFF:
                self._on = self._on - set(_OFF[code])
            elif 30 <= code <= 39 or 90 <= code <= 97:
                self._colour = _colour(code, rest)
            elif 40 <= code <= 49 or 100 <= code <= 107:
                self._ground = _colour(code - 10, rest)


def _span(text: str, classes: Sequence[str]) -> Markup:
    if not classes:
        return escape(text)
    return Markup('<span class="{}">{}</span>').format(" ".join(classes), text)


def _colour(code: int, rest: Iterator[int]) -> str:
    """Return the name of a foreground colour; what 38 needs more is taken from `rest`."""
    if code == 38:
        return _nearest(_rgb(rest))
    return "" if code == 39 else _NAMES[code % 10] if code < 90 or code == 97 else _bright(code % 10)


def _bright(number: int) -> str:
    return "grey" if number == 0 else _NAMES[number]


def _rgb(rest: Iterator[int]) -> tuple[int, int, int]:
    match next(rest, 0):
        case 5:
            return _of_256(next(rest, 0))
        case 2:
            return next(rest, 0), next(rest, 0), next(rest, 0)
        case _:
            return _RGB[7]


def _of_256(number: int) -> tuple[int, int, int]:
    if number < 16:
        return _GREY if number == 8 else _RGB[number % 8]
    if number >= 232:
        level = 8 + 10 * min(number - 232, 23)
        return level, level, level
    number -= 16
    return _level(number // 36), _level(number // 6 % 6), _level(number % 6)


def _level(number: int) -> int:
    return 55 + 40 * number if number else 0


def _nearest(rgb: tuple[int, int, int]) -> str:
    known = {**dict(zip(_NAMES, _RGB, strict=True)), "grey": _GREY}
    return min(known, key=lambda name: sum((a - b) ** 2 for a, b in zip(known[name], rgb, strict=True)))


def _unfinished(text: str) -> int:
    """Return how many characters at the end may be the start of an escape."""
    tail = text[-_LONGEST:]
    starts = [at for at in range(len(tail) - 1, -1, -1) if tail[at] in "\x1b\x9b\x9d\x90\x98\x9e\x9f\r"][:2]
    return max((len(tail) - at for at in starts if _UNFINISHED.fullmatch(tail, at)), default=0)
