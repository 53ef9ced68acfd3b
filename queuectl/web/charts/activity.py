"""Attempts over time, and how long they took, as bars."""

from __future__ import annotations

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
    width = (_WIDTH - _LEFT) / len(shown.steps)
    bars = [
        bar
        for number, step in enumerate(shown.steps)
        for bar in _heights(step, _LEFT + number * width, width, most)
    ]
    half, most_of_them = _said(shown.median_ms), _said(shown.slow_ms)
    label = f"durations of attempts in the last {shown.span}: median {half}, 95% {most_of_them}"
    return chart(_WIDTH, _HEIGHT, label, [*_axes(shown, _said(most)), *bars])


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


def _heights(step: Step, x: float, width: float, most: float) -> list[Markup]:
    told = (
        f"{format_instant(step.at)}: half took up to {_said(step.median_ms)}, 95% up to {_said(step.slow_ms)}"
    )
    found = []
    for ms, kind in ((step.slow_ms, "slow"), (step.median_ms, "half")):
        if ms is not None:
            height = max(1.0, ms / most * _PLOT)
            top = _TOP + _PLOT - height
            found.append(
                titled("rect", told, class_=kind, x=x, y=top, width=max(1.0, width - 1), height=height)
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


def _said(ms: float | None) -> str:
    if ms is None:
        return "–"
    return format_duration(round(ms / 1000) * 1000 if ms > _EXACT_MS else max(1, round(ms)))
