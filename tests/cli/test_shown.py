"""How instants, durations, counts and other people's text are shown."""

from __future__ import annotations

import json
import time

import pytest

from queuectl.cli.shown import command_text, plural
from queuectl.cli.times import ago, full, rough
from queuectl.cli.visible import json_safe, visible

NOW = 1_800_000_000_000
HOUR = 3_600_000


@pytest.mark.parametrize(
    ("ms", "wanted"),
    [
        (None, "–"), (0, "0ms"), (999, "999ms"), (1000, "1s"), (9_949, "9.9s"), (10_000, "10s"), (59_999, "59s"),
        (60_000, "1m"), (185_000, "3m 5s"), (2 * HOUR, "2h"), (27 * HOUR, "1d 3h"), (12.7, "12ms"),
    ],
)  # fmt: skip
def test_rough(ms: float | None, wanted: str):
    assert rough(ms) == wanted


@pytest.mark.parametrize(
    ("at", "wanted"),
    [(None, "–"), (NOW, "now"), (NOW - 90_000, "1m 30s ago"), (NOW + 90_000, "in 1m 30s")],
)
def test_ago(at: int | None, wanted: str):
    assert ago(at, NOW) == wanted


def test_full(monkeypatch: pytest.MonkeyPatch):
    assert full(NOW + 250, NOW).endswith("2027-01-15T08:00:00Z  (now)")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("plain ü 😀 תֵל", "plain ü 😀 תֵל"),
        ("\x1b[2J\x1b]0;x\x07", r"\e[2J\e]0;x\x07"),
        ("a\r\n\tb", r"a\r\n\tb"),
        ("\x9b31m\x7f\x00", r"\x9b31m\x7f\x00"),
        ("\u202egnp.exe\u2066", r"\u202egnp.exe\u2066"),
        ("\u2028\ufeff\u200b", r"\u2028\ufeff\u200b"),
        ("\udcff", r"\udcff"),
        ("👨\u200d👩", "👨\u200d👩"),
    ],
)
def test_visible(text: str, wanted: str):
    assert visible(text) == wanted


def test_visible_lines():
    assert visible("a\n\tb\r\n", lines=True) == "a\n\tb\\r\n"


@pytest.mark.parametrize("indent", [None, 2])
def test_json_means_the_same_when_it_is_safe(indent: int | None):
    value = {"a\x9b": ["\x1b[2J\u202e", "\U000e0041", "\x7f", "ü\n"]}
    text = json_safe(json.dumps(value, ensure_ascii=False, indent=indent))
    assert json.loads(text) == value
    assert not set(text) & set("\x9b\u202e\x7f\x1b\U000e0041")
    assert "ü" in text


def test_words():
    assert plural(0, "job") == "0 jobs"
    assert plural(1, "job") == "1 job"
    assert plural(12_345, "job") == "12,345 jobs"
    assert command_text(["pg_dump", "my db"]) == "pg_dump 'my db'"
    assert command_text("a | b") == "a | b"


def test_the_end_of_time_can_be_shown_in_a_zone_that_is_past_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert full(253_402_300_799_000, NOW).startswith("9999-12-31T23:59:59Z")
    finally:
        monkeypatch.undo()
        time.tzset()
