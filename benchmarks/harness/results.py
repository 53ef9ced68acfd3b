"""Results on disk: a page and a chart per bench, and all figures as JSON lines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.harness.chart import chart
from benchmarks.harness.figure import Figure
from benchmarks.harness.machine import Machine
from benchmarks.harness.table import markdown

FIGURES = "figures.jsonl"


def write(folder: Path, bench: str, title: str, figures: Sequence[Figure], machine: Machine) -> None:
    """Write what a bench found; what the other benches found stays."""
    folder.mkdir(parents=True, exist_ok=True)
    page = markdown(title, figures, f"{bench}.svg", f"Measured on {machine}.")
    (folder / f"{bench}.md").write_text(page, encoding="utf-8")
    (folder / f"{bench}.svg").write_text(chart(title, figures), encoding="utf-8")
    lines = [line for line in _lines(folder / FIGURES) if json.loads(line)["bench"] != bench]
    lines += [_line(bench, figure, machine) for figure in figures]
    (folder / FIGURES).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def _line(bench: str, figure: Figure, machine: Machine) -> str:
    found = {"bench": bench, **asdict(figure), "verdict": figure.verdict, "machine": asdict(machine)}
    return json.dumps(found, ensure_ascii=False)
