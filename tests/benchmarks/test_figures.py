"""The pure parts of the benches: what a figure says, and how it is shown."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks.harness.chart import chart
from benchmarks.harness.figure import Figure, Target, at_least, at_most, median_ratio, quantile
from benchmarks.harness.machine import Machine
from benchmarks.harness.results import write
from benchmarks.harness.table import WIDTH, markdown, number, remarks, table

LOOP = Figure.of("jobs/s", "C loop", "/s", [2000, 1000, 1800], base=[2000, 1000, 1800], against="C loop")
OURS = Figure.of(
    "jobs/s", "queuectl", "/s", [1500, 800, 1260], base=LOOP.values, against="C loop", target=at_least(0.7)
)
GONE = Figure(name="jobs/s", contestant="rq <Redis>", unit="/s", missing="there is no redis-server")
MACHINE = Machine(cores=2, kernel="Linux 6.1", python="3.11.2", date="2026-01-02")


def test_a_ratio_is_taken_within_each_round() -> None:
    assert median_ratio([1500, 800, 1260], [2000, 1000, 1800]) == 0.75
    assert OURS.ratio == 0.75
    assert (OURS.median, OURS.low, OURS.high) == (1260, 800, 1500)


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [(range(1, 301), 0.99, 297), (range(1, 301), 0.5, 150), ([7], 0.99, 7), ([3, 1, 2], 0.5, 2)],
)
def test_a_quantile_is_a_value_that_was_measured(values: list[float], share: float, expected: float) -> None:
    assert quantile(values, share) == expected


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (at_least(0.75), "met"),
        (at_least(0.76), "missed"),
        (at_most(0.74, "ratio"), "missed"),
        (at_least(1260, "value"), "met"),
        (at_most(1259), "missed"),
        (None, ""),
    ],
)
def test_a_target_is_met_or_missed(target: Target | None, expected: str) -> None:
    figure = Figure.of("x", "y", "/s", [1500, 800, 1260], base=LOOP.values, target=target)

    assert figure.verdict == expected


def test_what_is_missing_meets_nothing() -> None:
    assert Figure(name="x", contestant="y", unit="", target=at_least(1), missing="gone").verdict == "missing"


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.69512, "0.695"), (3.25, "3.25"), (44.26, "44.3"), (12345.6, "12,346"), (-12.34, "-12.3"), (None, "")],
)
def test_numbers_have_three_digits_that_mean_something(value: float | None, expected: str) -> None:
    assert number(value) == expected


def test_a_table_fits_a_terminal() -> None:
    long = Figure.of(
        "w" * 60, "c" * 60, "jobs/s", [1e6, 2e6, 3e6], base=[1, 1, 1], target=at_least(40_000, "value")
    )
    lines = table([LOOP, OURS, GONE, long]).splitlines()

    assert max(map(len, lines)) <= WIDTH
    assert "2,000,000 jobs/s" in lines[5]
    assert lines[3].split() == ["queuectl", "1,260", "/s", "800–1,500", "0.750", "≥", "0.700", "×", "ok"]
    assert lines[-1] == "· rq <Redis> is missing: there is no redis-server"


def test_each_remark_is_made_once() -> None:
    assert remarks([GONE, GONE]) == ["rq <Redis> is missing: there is no redis-server"]


def test_a_page_shows_the_chart_and_every_row() -> None:
    page = markdown("Drain", [LOOP, OURS, GONE], "drain.svg", f"Measured on {MACHINE}.")

    assert "![Drain](drain.svg)" in page
    assert "|  | queuectl | 1,260 /s | 800–1,500 | 0.750 | ≥ 0.700 × | ok |" in page
    assert "Measured on 2 cores, Linux 6.1, Python 3.11.2, 2026-01-02." in page


def test_a_chart_has_a_bar_for_each_that_was_measured_in_proportion() -> None:
    drawing = ET.fromstring(chart("Drain", [LOOP, OURS, GONE]))  # noqa: S314  our own
    bars = [element for element in drawing.iter() if element.tag.endswith("rect")]
    lengths = [float(bar.attrib["width"]) for bar in bars]
    words = [element.text for element in drawing.iter() if element.tag.endswith("text")]

    assert lengths[1] / lengths[0] == pytest.approx(1260 / 1800, rel=0.01)
    assert [bar.attrib["class"] for bar in bars] == ["bar", "bar own"]
    assert "rq <Redis>" in words
    assert "missing" in words


def test_results_of_other_benches_stay(tmp_path: Path) -> None:
    write(tmp_path, "drain", "Drain", [LOOP, OURS], MACHINE)
    write(tmp_path, "idle", "Idle", [GONE], MACHINE)
    write(tmp_path, "drain", "Drain", [OURS], MACHINE)

    lines = [json.loads(line) for line in (tmp_path / "figures.jsonl").read_text().splitlines()]
    assert [(line["bench"], line["contestant"], line["verdict"]) for line in lines] == [
        ("idle", "rq <Redis>", "missing"),
        ("drain", "queuectl", "met"),
    ]
    assert lines[1]["machine"]["cores"] == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "drain.md", "drain.svg", "figures.jsonl", "idle.md", "idle.svg",
    ]  # fmt: skip
