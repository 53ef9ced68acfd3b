"""The last outcomes of a spec as little squares, oldest first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from markupsafe import Markup

from queuectl.model.run import Run
from queuectl.rules.units import rough_duration

_STEP, _HEIGHT = 10, 16
ROOM = 30
"""Squares that there is room for."""


def squares(runs: Sequence[Run], now: int) -> Markup:
    """Draw one square per run, right-aligned, so that those of several specs stand below each other.

    Put together by hand, as a page has 1,500 of them: numbers and words of our own, nothing to escape.
    """
    shown = runs[-ROOM:]
    first = ROOM - len(shown)
    parts = "".join(
        f'<rect class="state-{run.state}" x="{(first + at) * _STEP}"><title>{told(run, now)}</title></rect>'
        for at, run in enumerate(shown)
    )
    return Markup(  # noqa: S704  see above
        f'<svg class="strip" viewBox="0 0 {ROOM * _STEP - 2} {_HEIGHT}" role="img" aria-label="{_label(shown)}">'
        f"{parts}</svg>"
    )


def told(run: Run, now: int) -> str:
    """Say in a few words what became of a run."""
    took = rough_duration(max(0, (now if run.finished_at is None else run.finished_at) - run.started_at))
    return f"job {run.id} {'has been running for' if run.outcome is None else f'{run.state} after'} {took}"


def _label(runs: Sequence[Run]) -> str:
    if not runs:
        return "has not run yet"
    counts = Counter(run.state for run in runs)
    return f"of the last {len(runs)}: " + ", ".join(f"{count} {state}" for state, count in counts.items())
