"""A timeline: one lane per spec, what ran left of now, what fires right of it."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from queuectl.model.run import Run
from queuectl.rules.instants import format_instant
from queuectl.service.ahead import AHEAD_MS, BEHIND_MS, Lane
from queuectl.web.charts.svg import chart, element, titled

_WIDTH, _LEFT, _ROW, _TOP = 1200, 176, 24, 24
_HOUR = 3_600_000
_TICK = 3 * _HOUR
_LONGEST_NAME = 24
_KINDS = {"completed": "good", "dead": "bad", "failed": "bad", "processing": "busy", "cancelled": "off"}


def timeline(lanes: Sequence[Lane], now: int, base: str) -> Markup:
    """Draw lanes from six hours before `now` to a day after. `base` is put before the links."""
    height = _TOP + _ROW * len(lanes) + 8
    rows = [
        part for number, lane in enumerate(lanes) for part in _lane(lane, _TOP + number * _ROW, now, base)
    ]
    at = _x(now, now)
    line = element("line", class_="now", x1=at, x2=at, y1=_TOP - 8, y2=height)
    label = f"What {len(lanes)} specs did in the last 6 hours, and when they fire in the next 24"
    return chart(_WIDTH, height, label, [*_ticks(now, height), *rows, line], kind="chart long", role="group")


def _lane(lane: Lane, y: int, now: int, base: str) -> list[Markup]:
    middle = y + _ROW / 2
    name = lane.spec if len(lane.spec) <= _LONGEST_NAME else f"{lane.spec[: _LONGEST_NAME - 1]}…"
    text = element("text", element("title", lane.spec), name, x=0, y=middle + 4)
    parts = [
        element("a", text, href=f"{base}/specs/{lane.spec}"),
        element("line", class_="axis", x1=_LEFT, x2=_WIDTH, y1=y + _ROW, y2=y + _ROW),
    ]
    parts += [_run(run, middle, now, base) for run in lane.runs]
    if lane.has_more:
        parts.append(titled("rect", f"{lane.spec} fires again and again", class_="often", x=_x(lane.fires[-1], now),
                            y=middle - 1.0, width=max(0.0, _WIDTH - _x(lane.fires[-1], now)), height=2))  # fmt: skip
    parts += [
        titled(
            "circle",
            f"{lane.spec} fires at {format_instant(at)}",
            class_="fire",
            cx=_x(at, now),
            cy=middle,
            r=3,
        )
        for at in lane.fires
    ]
    return parts


def _run(run: Run, middle: float, now: int, base: str) -> Markup:
    start, end = _x(max(run.started_at, now - BEHIND_MS), now), _x(run.finished_at or now, now)
    told = f"job {run.id}: {run.state}, started at {format_instant(run.started_at)}"
    bar = titled("rect", told, class_=_KINDS.get(run.state, "off"), x=start, y=middle - 6, width=max(3.0, end - start),
                 height=12, rx=2)  # fmt: skip
    return element("a", bar, href=f"{base}/jobs/{run.id}")


def _ticks(now: int, height: int) -> list[Markup]:
    first = (now - BEHIND_MS) // _TICK * _TICK + _TICK
    found = []
    for at in range(first, now + AHEAD_MS, _TICK):
        x = _x(at, now)
        found.append(element("line", class_="axis", x1=x, x2=x, y1=_TOP - 4, y2=height))
        found.append(element("text", format_instant(at)[11:16], x=x, y=12, text_anchor="middle"))
    return found


def _x(at: int, now: int) -> float:
    share = (at - (now - BEHIND_MS)) / (AHEAD_MS + BEHIND_MS)
    return _LEFT + min(1.0, max(0.0, share)) * (_WIDTH - _LEFT)
