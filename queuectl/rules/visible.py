"""Text from jobs and files: characters that a terminal or a browser would obey are shown instead."""

from __future__ import annotations

import re

HIDDEN = (  # compiled when it is first needed
    "["
    "\x00-\x1f\x7f-\x9f"  # C0, DEL, C1
    "\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff"  # direction, zero width
    "\u2028\u2029\ufff9-\ufffb"  # separators, annotations
    "\ud800-\udfff"  # half characters
    "\U000e0000-\U000e007f"  # tags
    "]"
)
_NAMES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\x1b": "\\e"}


def visible(text: str, *, lines: bool = False) -> str:
    r"""Write characters that a terminal would obey as escapes: `\e[2J`. With `lines`, \n and \t stay.

    >>> visible("\x1b[2Jfake\rok")
    '\\e[2Jfake\\rok'
    """
    return re.sub(HIDDEN, lambda found: _escaped(found[0], lines), text)


def json_safe(text: str) -> str:
    r"""Escape the same characters in JSON text, which means the same then: `\u009b`."""
    return re.sub(HIDDEN, lambda found: _json_escape(found[0]), text)


def _escaped(character: str, lines: bool) -> str:
    if lines and character in "\n\t":
        return character
    code = ord(character)
    return _NAMES.get(character) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")


def _json_escape(character: str) -> str:
    code = ord(character)
    if character == "\n":
        return character  # between the values: inside strings it is escaped already
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
