"""Figures as text: a table for a terminal of 100 columns, or for Markdown. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from benchmarks.harness.figure import Figure, Target

WIDTH = 100
_HEADER = ("what", "of whom", "median", "min–max", "ratio", "target", "")
_RIGHT = {2, 3, 4, 5}
_SIGNS = {"met": "ok", "missed": "MISSED", "missing": "missing", "": ""}


def table(figures: Sequence[Figure]) -> str:
    """Return a table at most 100 columns wide, with what is to be said of single lines below it."""
    rows = [_HEADER, *_rows(figures)]
    widths = _widths(rows)
    lines = [_line(row, widths) for row in rows]
    rule = "─" * min(WIDTH, sum(widths) + 2 * (len(widths) - 1))
    return "\n".join([lines[0], rule, *lines[1:], *_wrapped(remarks(figures))])


def markdown(title: str, figures: Sequence[Figure], chart: str, measured: str) -> str:
    """Return a page with the chart, the table and the remarks."""
    rows = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in _rows(figures)]
    header = "| " + " | ".join(_HEADER) + " |"
    rule = "|" + "|".join(" ---: " if column in _RIGHT else " --- " for column in range(len(_HEADER))) + "|"
    said = [f"- {remark}" for remark in remarks(figures)]
    parts = [
        f"# {title}",
        f"![{title}]({chart})",
        "\n".join([header, rule, *rows]),
        "\n".join(said),
        measured,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def remarks(figures: Sequence[Figure]) -> list[str]:
    """Return what is missing and why, and the notes, each once."""
    said: dict[str, None] = {}
    for figure in figures:
        if figure.missing is not None:
            said[f"{figure.contestant} is missing: {figure.missing}"] = None
        if figure.note is not None:
            said[f"{figure.contestant}: {figure.note}"] = None
    return list(said)


def number(value: float | None) -> str:
    """Return a number with three digits that mean something.

    >>> number(0.69512), number(12345.6), number(3.25), number(None)
    ('0.695', '12,346', '3.25', '')
    """
    if value is None:
        return ""
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    return f"{value:.{1 if size >= 10 else 2 if size >= 1 else 3}f}"


def _rows(figures: Sequence[Figure]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    before = None
    for figure in figures:
        median = f"{number(figure.median)} {figure.unit}".strip() if figure.median is not None else "–"
        spread = f"{number(figure.low)}–{number(figure.high)}" if figure.low is not None else ""
        rows.append(
            (
                "" if figure.name == before else figure.name,
                figure.contestant,
                median,
                spread,
                number(figure.ratio),
                _limit(figure.target),
                _SIGNS[figure.verdict],
            )
        )
        before = figure.name
    return rows


def _limit(target: Target | None) -> str:
    if target is None:
        return ""
    sign = "≥" if target.at == "least" else "≤"
    return f"{sign} {number(target.limit)}{' ×' if target.of == 'ratio' else ''}"


def _widths(rows: Sequence[tuple[str, ...]]) -> list[int]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADER))]
    over = sum(widths) + 2 * (len(widths) - 1) - WIDTH
    for column in (0, 1):  # the words give way, not the numbers
        taken = min(max(over, 0), max(0, widths[column] - 12))
        widths[column] -= taken
        over -= taken
    return widths


def _line(row: tuple[str, ...], widths: Sequence[int]) -> str:
    cells = []
    for column, (cell, width) in enumerate(zip(row, widths, strict=True)):
        short = cell if len(cell) <= width else cell[: width - 1] + "…"
        cells.append(short.rjust(width) if column in _RIGHT else short.ljust(width))
    return "  ".join(cells).rstrip()


def _wrapped(said: Sequence[str]) -> list[str]:
    return [textwrap.fill(one, WIDTH, initial_indent="· ", subsequent_indent="  ") for one in said]
