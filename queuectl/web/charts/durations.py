"""How long the runs of a spec took, one bar each, oldest first."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from queuectl.model.run import Run
from queuectl.rules.instants import format_instant
from queuectl.rules.units import rough_duration
from queuectl.web.charts.squares import told
from queuectl.web.charts.svg import chart, element, titled

_WIDTH, _HEIGHT = 640, 136
_LEFT, _TOP, _BOTTOM = 48, 8, 16
_PLOT = _HEIGHT - _TOP - _BOTTOM
_FLOOR = _TOP + _PLOT
_LEAST, _WIDEST = 2.0, 24.0
"""A bar's height and width."""


def run_durations(runs: Sequence[Run], average_ms: float | None, now: int) -> Markup:
    """Draw runs; `average_ms` is a line across them."""
    took = [_took(run, now) for run in runs]
    most = max([1, *took])
    step = min(_WIDEST, (_WIDTH - _LEFT) / max(1, len(runs)))
    bars = [
        _bar(run, ms / most, _LEFT + at * step, step, now)
        for at, (run, ms) in enumerate(zip(runs, took, strict=True))
    ]
    return chart(
        _WIDTH,
        _HEIGHT,
        _label(runs, most, average_ms),
        [*_axes(runs, most), *bars, *_average(average_ms, most)],
    )


def _bar(run: Run, share: float, x: float, step: float, now: int) -> Markup:
    height = max(_LEAST, share * _PLOT)
    text = f"{told(run, now)}, started at {format_instant(run.started_at)}"
    return titled("rect", text, class_=f"bar state-{run.state}", x=x, y=_FLOOR - height,
                  width=max(1.0, step - 1), height=height)  # fmt: skip


def _average(ms: float | None, most: int) -> list[Markup]:
    if ms is None:
        return []
    y = _FLOOR - ms / most * _PLOT
    return [element("line", element("title", f"average {rough_duration(ms)}"), class_="average",
                    x1=_LEFT, x2=_WIDTH, y1=y, y2=y)]  # fmt: skip


def _axes(runs: Sequence[Run], most: int) -> list[Markup]:
    parts = [
        element("line", class_="axis", x1=_LEFT, x2=_WIDTH, y1=_FLOOR, y2=_FLOOR),
        element("line", class_="axis", x1=_LEFT, x2=_WIDTH, y1=_TOP, y2=_TOP),
        element("text", rough_duration(most), x=_LEFT - 4, y=_TOP + 8, text_anchor="end"),
        element("text", "0", x=_LEFT - 4, y=_FLOOR, text_anchor="end"),
    ]
    if runs:
        parts.append(element("text", _day(runs[0].started_at), x=_LEFT, y=_HEIGHT - 2))
    if len(runs) * _WIDEST > _WIDTH / 2:
        end = min(_WIDTH, _LEFT + len(runs) * _WIDEST)
        parts.append(element("text", _day(runs[-1].started_at), x=end, y=_HEIGHT - 2, text_anchor="end"))
    return parts


def _label(runs: Sequence[Run], most: int, average_ms: float | None) -> str:
    average = "" if average_ms is None else f", {rough_duration(average_ms)} on average"
    return f"how long the last {len(runs)} runs took: {rough_duration(most)} at most{average}"


def _day(at: int) -> str:
    return format_instant(at)[:16].replace("T", " ")


def _took(run: Run, now: int) -> int:
    return max(0, (now if run.finished_at is None else run.finished_at) - run.started_at)
