"""Tables: as wide as the terminal, whatever is in them."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Sequence

import pytest

from queuectl.cli.tables import Column, print_table

COLUMNS = (
    Column("ID", justify="right"),
    Column("STATE", state=True),
    Column("COMMAND", flexible=True),
    Column("REASON", flexible=True, optional=True),
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def table(
    monkeypatch: pytest.MonkeyPatch,
    width: int,
    *rows: tuple[object, ...],
    columns: Sequence[Column] = COLUMNS,
) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    print_table(columns, rows, nothing="")
    return terminal.getvalue().splitlines()


def plain(lines: list[str]) -> list[str]:
    return [re.sub(r"\x1b\[\d*m", "", line) for line in lines]


def test_columns_are_as_wide_as_what_is_in_them(monkeypatch: pytest.MonkeyPatch):
    assert plain(table(monkeypatch, 80, (7, "x", "true", None), (1200, "done", "sleep 1", "why"))) == [
        "  ID  STATE  COMMAND  REASON",
        "   7  x      true     –",
        "1200  done   sleep 1  why",
    ]


def test_the_widest_flexible_columns_give_way_first(monkeypatch: pytest.MonkeyPatch):
    rows = (7, "processing", "c" * 50, "r" * 40), (8, "y", "short", "sh\n ort")
    assert plain(table(monkeypatch, 34, *rows)) == [
        "ID  STATE       COMMAND   REASON",
        " 7  processing  ccccccc…  rrrrrrr…",
        " 8  y           short     sh …",
    ]


def test_then_all_give_way_and_a_cut_state_keeps_its_colour(monkeypatch: pytest.MonkeyPatch):
    lines = table(monkeypatch, 14, (123_456, "processing", "command", "reason"))
    assert plain(lines) == [" ID  ST…  …  …", "12…  pr…  …  …"]
    assert "\x1b[36mpr…\x1b[0m" in lines[1]


def test_wide_characters_take_two_columns_and_accents_none(monkeypatch: pytest.MonkeyPatch):
    rows = (7, "x", "あい", "|"), (8, "x", "e\u0301e", "|")
    assert plain(table(monkeypatch, 80, *rows))[1:] == [
        " 7  x      あい     |",
        " 8  x      e\u0301e       |",
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [("あいう", "あいう"), ("あいうえ", "あい…"), ("e\u0301" * 6, "e\u0301" * 6), ("abcdefg", "abcde…")],
)
def test_a_text_is_cut_where_the_terminal_ends(monkeypatch: pytest.MonkeyPatch, text: str, shown: str):
    assert table(monkeypatch, 6, (text,), columns=[Column("C")])[1] == shown
