"""Rounds: every contestant once in turn, then all again, so that what disturbs the machine disturbs all alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from benchmarks.harness.processes import Missing
from benchmarks.harness.setting import Setting

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rounds(Generic[T]):
    """What came of the rounds, by contestant."""

    found: dict[str, list[T]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


def interleaved(
    setting: Setting, contestants: Mapping[str, Callable[[], T]], *, times: int | None = None
) -> Rounds[T]:
    """Run the setting's rounds, or so many. Whoever raises Missing is out, with its reason; other errors end it all."""
    rounds: Rounds[T] = Rounds()
    times = times or setting.rounds
    for number in range(1, times + 1):
        for name, measure in contestants.items():
            if name in rounds.missing:
                continue
            setting.say(f"round {number} of {times}: {name}")
            try:
                rounds.found.setdefault(name, []).append(measure())
            except Missing as reason:
                rounds.missing[name] = str(reason)
                rounds.found.pop(name, None)
    setting.say("")
    return rounds
