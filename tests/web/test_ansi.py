"""What jobs write for terminals, as HTML."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queuectl.web.ansi import Painter

CLASSES = re.compile(
    r"ansi-(bold|dim|italic|underline|inverse|strike|(on-)?(black|red|green|yellow|blue|magenta|cyan|white|grey))"
)


def painted(*pieces: str) -> str:
    painter = Painter()
    return "".join([*(painter.paint(piece) for piece in pieces), painter.paint("", last=True)])


def text_of(html: str) -> str:
    return unescape(re.sub("<[^>]*>", "", html))


@pytest.mark.parametrize(
    ("written", "html"),
    [
        ("plain", "plain"),
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("\x1b[31m<img src=x onerror=a()>", '<span class="ansi-red">&lt;img src=x onerror=a()&gt;</span>'),
        ("\x1b[1;31mx\x1b[0my", '<span class="ansi-bold ansi-red">x</span>y'),
        ("\x1b[mx", "x"),
        ("\x1b[1mx\x1b[22my", '<span class="ansi-bold">x</span>y'),
        ("\x1b[91mx\x1b[39my", '<span class="ansi-red">x</span>y'),
        ("\x1b[90mx", '<span class="ansi-grey">x</span>'),
        ("\x1b[41mx", '<span class="ansi-on-red">x</span>'),
        ("\x1b[37;41mx", '<span class="ansi-on-red">x</span>'),
        ("\x1b[102mx\x1b[49my", '<span class="ansi-on-green">x</span>y'),
        ("\x1b[31;7mx", '<span class="ansi-inverse">x</span>'),
        ("\x1b[38;5;196mx", '<span class="ansi-red">x</span>'),
        ("\x1b[38;5;8mx", '<span class="ansi-grey">x</span>'),
        ("\x1b[38:2:0:200:0mx", '<span class="ansi-green">x</span>'),
        ("\x1b[48;2;0;0;250;1mx", '<span class="ansi-bold ansi-on-blue">x</span>'),
        ("\x9b32mx", '<span class="ansi-green">x</span>'),
        ("a\x1b[2Jb\x1b[10;10Hc\x1b[Kd\x1b[?25le", "abcde"),
        ("\x1b]0;title\x07x\x1b]8;;javascript:a()\x1b\\link\x1b]8;;\x1b\\y", "xlinky"),
        ("\x1bPq#0\x1b\\x\x1b(By\x1bcz", "xyz"),
        ("one\r\ntwo\rthree\n\tfour", "one\ntwo\nthree\n\tfour"),
        ("bell\x07 back\x08 \x00", r"bell\x07 back\x08 \x00"),
        ("\u202egnp.exe\u200b", r"\u202egnp.exe\u200b"),
        ("\x1b", r"\e"),
        ("\x1b]never ends", r"\e]never ends"),
        ("\x1b]0;title\nnext line\x07", "\\e]0;title\nnext line\\x07"),
        ("\x1b[99999999999999999999mx", "x"),
    ],
)
def test_each(written: str, html: str) -> None:
    assert painted(written) == html


@given(
    st.text(alphabet=st.sampled_from("ab<>&\"'\x1b\x9b\x9d[]();:mKHPX^_\\\x07\r\n\t\x00\u202e0123457890 ?"))
)
def test_nothing_comes_of_it_but_spans_of_ours(written: str) -> None:
    Strict(painted(written))


@given(st.text(alphabet=st.sampled_from("a<\x1b\x9d[]P;:mKH\\\x07\r\n01345789 ")), st.integers(0, 50))
def test_where_it_is_cut_makes_no_difference_to_what_is_read(written: str, cut: int) -> None:
    whole, pieces = painted(written), painted(written[:cut], written[cut:])

    assert text_of(pieces) == text_of(whole)


def test_colours_go_on_in_the_next_piece() -> None:
    assert (
        painted("\x1b[3", "1mred", " too")
        == '<span class="ansi-red">red</span><span class="ansi-red"> too</span>'
    )


@pytest.mark.parametrize(
    "written", ["\x1b]" * 200_000, "\x1b[1" * 200_000, "\x1b]" + "a" * 400_000, "\r" * 400_000]
)
def test_what_never_ends_is_looked_at_once(written: str) -> None:
    assert len(painted(written)) >= 400_000  # in a time that grows with its square this would take minutes


class Strict(HTMLParser):
    """Fails at everything but text and spans with classes of ours."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self._open = 0
        self.feed(html)
        self.close()
        assert self._open == 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag == "span"
        ((name, value),) = attrs
        assert name == "class"
        assert all(CLASSES.fullmatch(one) for one in (value or "").split())
        self._open += 1

    def handle_endtag(self, tag: str) -> None:
        self._open -= 1

    def handle_data(self, data: str) -> None:
        assert "\x1b" not in data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    handle_decl = handle_pi = unknown_decl = handle_comment


def test_what_changes_nothing_makes_no_new_span() -> None:
    assert (
        Painter().paint("\x1b[31ma\x1b[31mb\x1b[0;31mc\x1b[1m\x1b[22md")
        == '<span class="ansi-red">abcd</span>'
    )
