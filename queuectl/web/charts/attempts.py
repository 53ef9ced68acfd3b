"""The attempts of a job as a timeline: one bar each, from when the job was made to its end."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from queuectl.model.job import Attempt
from queuectl.model.states import Outcome
from queuectl.rules.instants import format_instant
from queuectl.rules.units import rough_duration
from queuectl.web.charts.svg import element, titled

_ROW, _BAR, _TOP = 24, 16, 4
_MOST_ROWS = 12
"""More attempts than that share one row."""
_KINDS = {
    None: "busy",
    Outcome.SUCCEEDED: "good",
    Outcome.CANCELLED: "off",
    Outcome.INTERRUPTED: "off",
    Outcome.SNOOZED: "off",
}


def attempts_chart(attempts: Sequence[Attempt], created_at: int, now: int) -> Markup:
    """Draw attempts, oldest first. Widths are shares of the page's, so that letters keep their size."""
    start = min([created_at, *(one.started_at for one in attempts)])
    end = max(start + 1, *(_end(one, now) for one in attempts))
    rows = len(attempts) if len(attempts) <= _MOST_ROWS else 1
    height = _TOP + rows * _ROW + _ROW
    parts = [
        element("line", class_="axis", x1="0", x2="100%", y1=height - _ROW + 0.5, y2=height - _ROW + 0.5)
    ]
    for number, attempt in enumerate(attempts):
        parts += _bar(
            attempt, _TOP + number % rows * _ROW, start, end, now, named=rows > 1 or len(attempts) == 1
        )
    parts += _ends(start, end, height - 8)
    return element(
        "svg", *parts, class_="chart attempts", height=height, role="img", aria_label=_label(attempts, now)
    )


def told(attempt: Attempt, now: int) -> str:
    """Say in a few words what became of an attempt: `failed (exit 3) after 2s`."""
    took = rough_duration(max(0, _end(attempt, now) - attempt.started_at))
    if attempt.outcome is None:
        return f"running for {took}"
    code = attempt.signal or (f"exit {attempt.exit_code}" if attempt.exit_code else "")
    return f"{attempt.outcome.replace('_', ' ')}{f' ({code})' if code else ''} after {took}"


def _bar(attempt: Attempt, y: int, start: int, end: int, now: int, *, named: bool) -> list[Markup]:
    left, right = _share(attempt.started_at, start, end), _share(_end(attempt, now), start, end)
    text = f"attempt {attempt.number}: {told(attempt, now)}, started at {format_instant(attempt.started_at)}"
    kind = _KINDS.get(attempt.outcome, "bad")
    bar = titled("rect", text, class_=kind, x=f"{left:.2f}%", y=y, width=f"{max(right - left, 0.3):.2f}%",
                 height=_BAR, rx=2)  # fmt: skip
    if not named:
        return [bar]
    return [bar, element("text", f"{attempt.number} {told(attempt, now)}", y=y + 12, **_beside(left, right))]


def _beside(left: float, right: float) -> dict[str, object]:
    """Where there is room for a name: right of a bar, left of it, else within."""
    if right < 60:
        return {"x": f"{right:.2f}%", "dx": 8}
    if left > 40:
        return {"x": f"{left:.2f}%", "dx": -8, "text_anchor": "end"}
    return {"x": f"{left:.2f}%", "dx": 8, "class_": "inside"}


def _ends(start: int, end: int, y: int) -> list[Markup]:
    return [
        element("text", "made", element("title", format_instant(start)), x="0", y=y),
        element(
            "text",
            f"{rough_duration(end - start)} later",
            element("title", format_instant(end)),
            x="100%",
            y=y,
            text_anchor="end",
        ),
    ]


def _label(attempts: Sequence[Attempt], now: int) -> str:
    latest = attempts[-1]
    return (
        f"{len(attempts)} attempts, the latest {told(latest, now)}"
        if len(attempts) > 1
        else f"1 attempt, {told(latest, now)}"
    )


def _end(attempt: Attempt, now: int) -> int:
    return max(now if attempt.finished_at is None else attempt.finished_at, attempt.started_at)


def _share(at: int, start: int, end: int) -> float:
    return 100 * (at - start) / (end - start)
