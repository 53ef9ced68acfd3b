"""Figures as a bar chart in SVG: a bar for the median, a line for the spread, a mark for the target. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby

from benchmarks.harness.figure import Figure
from benchmarks.harness.table import number

_WIDTH, _LABELS, _NUMBERS = 760, 250, 110
_BAR, _ROW, _GAP = 16, 24, 34
_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-size: 16px; font-weight: 600 }
.group, .number { fill: #57606a }
.bar { fill: #8c959f } .own { fill: #0969da }
.spread { stroke: #24292f; stroke-width: 1.5 }
.target { stroke: #cf222e; stroke-width: 1.5; stroke-dasharray: 3 2 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .group, .number { fill: #9198a1 }
  .bar { fill: #656c76 } .own { fill: #4493f8 }
  .spread { stroke: #e6edf3 } .target { stroke: #f85149 }
}
"""


def chart(title: str, figures: Sequence[Figure]) -> str:
    """Return an SVG with a group of bars per name, each with its own scale. Readable on light and on dark."""
    shapes = [f'<text class="title" x="0" y="18">{escape(title)}</text>']
    top = 40.0
    for (name, unit), group in groupby(figures, key=lambda figure: (figure.name, figure.unit)):
        shapes.append(
            f'<text class="group" x="0" y="{top:g}">{escape(f"{name} ({unit})" if unit else name)}</text>'
        )
        top += 10
        members = list(group)
        scale = (_WIDTH - _LABELS - _NUMBERS) / (_longest(members) or 1)
        for figure in members:
            shapes += _bar(figure, scale, top)
            top += _ROW
        top += _GAP - 10
    height = top - _GAP + 20
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:g}" width="{_WIDTH}" '
        f'height="{height:g}" role="img" aria-label="{escape(title)}">\n<style>{_STYLE}</style>\n'
        + "\n".join(shapes)
        + "\n</svg>\n"
    )


def _longest(figures: Sequence[Figure]) -> float:
    return max((figure.high or figure.median or 0 for figure in figures), default=0)


def _bar(figure: Figure, scale: float, top: float) -> Iterator[str]:
    middle, base = top + _BAR / 2, top + _BAR - 4
    yield f'<text x="0" y="{base:g}">{escape(figure.contestant)}</text>'
    if figure.median is None:
        yield f'<text class="number" x="{_LABELS}" y="{base:g}">missing</text>'
        return
    own = " own" if figure.contestant.startswith("queuectl") else ""
    length = max(1.0, figure.median * scale)
    yield f'<rect class="bar{own}" x="{_LABELS}" y="{top:g}" width="{length:.1f}" height="{_BAR}" rx="2"/>'
    low, high = (_LABELS + max(0.0, value or 0) * scale for value in (figure.low, figure.high))
    if high - low > 1:
        yield f'<path class="spread" d="M{low:.1f} {middle:g}H{high:.1f}"/>'
    end = max(_LABELS + length, high)
    target = figure.target
    if target is not None and target.of == "value" and target.limit * scale <= _WIDTH - _LABELS - _NUMBERS:
        at = _LABELS + target.limit * scale
        end = max(end, at) if at < end + _NUMBERS / 2 else end
        yield f'<path class="target" d="M{at:.1f} {top - 2:g}v{_BAR + 4}"/>'
    yield f'<text class="number" x="{end + 6:.1f}" y="{base:g}">{number(figure.median)}</text>'
