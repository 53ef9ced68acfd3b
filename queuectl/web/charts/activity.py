"""Attempts over time as bars, and how long they took as lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

from markupsafe import Markup

from queuectl.rules.instants import format_instant
from queuectl.rules.units import format_duration
from queuectl.service.activity import Activity, Step
from queuectl.web.charts.svg import chart, element, titled

_WIDTH, _HEIGHT = 640, 136
_LEFT, _TOP, _BOTTOM = 40, 8, 16
_PLOT = _HEIGHT - _TOP - _BOTTOM
_FORMATS = {"hour": slice(11, 16), "day": slice(11, 16), "week": slice(5, 10)}
_LABELS = 6
_EXACT_MS = 10_000
"""Longer ones are told in whole seconds."""


def throughput(shown: Activity) -> Markup:
    """Draw how many attempts succeeded and failed in each step."""
    most = max([1, *(step.succeeded + step.failed for step in shown.steps)])
    width = (_WIDTH - _LEFT) / len(shown.steps)
    bars = [
        bar
        for number, step in enumerate(shown.steps)
        for bar in _bars(step, _LEFT + number * width, width, most)
    ]
    label = f"{shown.succeeded:,} attempts succeeded and {shown.failed:,} failed in the last {shown.span}"
    return chart(_WIDTH, _HEIGHT, label, [*_axes(shown, f"{most:,}"), *bars])


def durations(shown: Activity) -> Markup:
    """Draw what half of the attempts of each step did not exceed, and what 95% did not."""
    most = max([1.0, *(step.slow_ms or 0 for step in shown.steps)])
    lines = [*_line(shown.steps, _slow, most, "line second"), *_line(shown.steps, _median, most, "line")]
    half, most_of_them = _said(shown.median_ms), _said(shown.slow_ms)
    label = f"durations of attempts in the last {shown.span}: median {half}, 95% {most_of_them}"
    return chart(_WIDTH, _HEIGHT, label, [*_axes(shown, _said(most)), *lines])


def _bars(step: Step, x: float, width: float, most: int) -> list[Markup]:
    told = f"{format_instant(step.at)}: {step.succeeded:,} succeeded, {step.failed:,} failed"
    good, bad = step.succeeded / most * _PLOT, step.failed / most * _PLOT
    floor = _TOP + _PLOT
    found = []
    if step.succeeded:
        found.append(
            titled("rect", told, class_="good", x=x, y=floor - good, width=max(1.0, width - 1), height=good)
        )
    if step.failed:
        top = floor - good - max(bad, 2.0)
        found.append(
            titled("rect", told, class_="bad", x=x, y=top, width=max(1.0, width - 1), height=max(bad, 2.0))
        )
    return found


def _line(
    steps: Sequence[Step], value: Callable[[Step], float | None], most: float, kind: str
) -> list[Markup]:
    width = (_WIDTH - _LEFT) / len(steps)
    points = [(_LEFT + (number + 0.5) * width, value(step)) for number, step in enumerate(steps)]
    found = []
    for there, group in groupby(points, lambda point: point[1] is not None):
        if there:
            stretch = [(x, _TOP + _PLOT - (ms or 0) / most * _PLOT) for x, ms in group]
            if len(stretch) == 1:
                stretch = [
                    (stretch[0][0] - width / 2, stretch[0][1]),
                    (stretch[0][0] + width / 2, stretch[0][1]),
                ]
            found.append(
                element("polyline", class_=kind, points=" ".join(f"{x:.1f},{y:.1f}" for x, y in stretch))
            )
    return found


def _axes(shown: Activity, most: str) -> list[Markup]:
    floor = _TOP + _PLOT
    count = len(shown.steps)
    width = (_WIDTH - _LEFT) / count
    labels = [
        element(
            "text",
            format_instant(shown.steps[at].at)[_FORMATS[shown.span]],
            x=_LEFT + at * width,
            y=_HEIGHT - 2,
        )
        for at in range(0, count, count // _LABELS)
    ]
    return [
        element("line", class_="axis", x1=_LEFT, x2=_WIDTH, y1=floor, y2=floor),
        element("line", class_="axis", x1=_LEFT, x2=_WIDTH, y1=_TOP, y2=_TOP),
        element("text", most, x=_LEFT - 4, y=_TOP + 8, text_anchor="end"),
        *labels,
    ]


def _median(step: Step) -> float | None:
    return step.median_ms


def _slow(step: Step) -> float | None:
    return step.slow_ms


def _said(ms: float | None) -> str:
    if ms is None:
        return "–"
    return format_duration(round(ms / 1000) * 1000 if ms > _EXACT_MS else max(1, round(ms)))
