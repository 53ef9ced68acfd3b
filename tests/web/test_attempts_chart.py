"""The timeline of a job's attempts."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from queuectl.model.job import Attempt
from queuectl.model.states import Outcome
from queuectl.web.charts.attempts import attempts_chart, told


def attempt(
    number: int, start: int, end: int | None, outcome: Outcome | None = Outcome.FAILED, **more: object
) -> Attempt:
    fields = dict.fromkeys(Attempt.__struct_fields__) | {
        "job_id": 1, "number": number, "worker": "w", "host": "h", "output": b"", "output_bytes": 0,
        "truncated": False, "started_at": start, "finished_at": end, "outcome": outcome if end is not None else None,
    }  # fmt: skip
    return Attempt(**fields | more)  # type: ignore[arg-type]


def bars(svg: str) -> list[tuple[str, float, float]]:
    """Kind, place and width of each bar, in percent."""
    found = ElementTree.fromstring(svg).iter("rect")  # noqa: S314
    return [
        (one.attrib["class"], float(one.attrib["x"][:-1]), float(one.attrib["width"][:-1])) for one in found
    ]


def test_each_attempt_is_a_bar_from_its_start_to_its_end() -> None:
    svg = attempts_chart([attempt(1, 1000, 2000), attempt(2, 4000, 5000, Outcome.SUCCEEDED)], 0, 9_999_999)

    assert bars(svg) == [("bad", 20, 20), ("good", 80, 20)]


def test_one_that_runs_goes_on_until_now() -> None:
    assert bars(attempts_chart([attempt(1, 500, None)], 0, 1000)) == [("busy", 50, 50)]


@pytest.mark.parametrize("count", [1, 12, 13, 50])
def test_however_many_they_are_it_stays_small_and_each_is_there(count: int) -> None:
    svg = attempts_chart(
        [attempt(number, number * 10, number * 10 + 5) for number in range(1, count + 1)], 0, 1
    )

    assert len(bars(svg)) == count
    assert int(re.search(r'height="(\d+)"', svg)[1]) <= 320  # type: ignore[index]
    assert all(x >= 0 and x + width <= 100.3 for _, x, width in bars(svg))


def test_a_clock_that_went_back_breaks_nothing() -> None:
    assert all(width > 0 for _, _, width in bars(attempts_chart([attempt(1, 5000, 1000)], 9000, 500)))


@pytest.mark.parametrize(
    ("one", "text"),
    [
        (attempt(1, 0, 1500, exit_code=3), "failed (exit 3) after 1.5s"),
        (attempt(1, 0, 60_000, Outcome.SIGNALLED, signal="SIGSEGV"), "signalled (SIGSEGV) after 1m"),
        (attempt(1, 0, 5, Outcome.TIMED_OUT), "timed out after 5ms"),
        (attempt(1, 0, 5, Outcome.SUCCEEDED, exit_code=0), "succeeded after 5ms"),
        (attempt(1, 0, None), "running for 2s"),
    ],
)
def test_in_words(one: Attempt, text: str) -> None:
    assert told(one, 2000) == text
