"""idle: what a worker costs that has nothing to do."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import psutil

from benchmarks.harness.figure import Figure, at_most
from benchmarks.harness.processes import Missing
from benchmarks.harness.setting import Setting
from benchmarks.peers.everyone import QUEUECTL, peers

TITLE = "Idle: a worker with nothing to do"
_WINDOWS = 5
_WAKE_UPS = re.compile(r"^voluntary_ctxt_switches:\s*(\d+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Cost:
    """What a worker's processes have used so far."""

    cpu_s: float
    wake_ups: int
    rss: int


def run(setting: Setting) -> list[Figure]:
    """Measure all workers at the same time: 60 s in five windows, after one job and some seconds of rest."""
    window, rest = setting.size(12_000, 400) / 1000, setting.size(10, 1)
    if not Path("/proc/self/schedstat").exists():
        return [
            Figure(name="idle", contestant=QUEUECTL.name, unit="", missing="it is read from Linux's /proc")
        ]
    missing: dict[str, str] = {}
    families: dict[str, list[psutil.Process]] = {}
    with ExitStack() as stack:
        for peer in (QUEUECTL, *peers(setting)):
            if not peer.worker:
                continue
            setting.say(f"starting {peer.name}")
            try:
                installed = stack.enter_context(peer.up(stack.enter_context(setting.turn())))
                worker = stack.enter_context(installed.working())
                installed.pace(1, setting.stamp)
            except Missing as reason:
                missing[peer.name] = str(reason)
                continue
            if worker is not None:
                families[peer.name] = _family(worker.pid)
        time.sleep(rest)
        costs = _observed(setting, families, window)
    return _figures(costs, missing, window)


def _observed(
    setting: Setting, families: dict[str, list[psutil.Process]], window: float
) -> dict[str, list[_Cost]]:
    costs = {name: [_cost(family)] for name, family in families.items()}
    for number in range(1, _WINDOWS + 1):
        setting.say(f"{number} of {_WINDOWS}: idle for {window:g} s")
        time.sleep(window)
        for name, family in families.items():
            costs[name].append(_cost(family))
    setting.say("")
    return costs


def _family(pid: int) -> list[psutil.Process]:
    worker = psutil.Process(pid)
    return [worker, *worker.children(recursive=True)]


def _cost(family: Sequence[psutil.Process]) -> _Cost:
    """Sum over all threads of the processes."""
    threads = [thread for process in family for thread in Path(f"/proc/{process.pid}/task").iterdir()]
    return _Cost(
        cpu_s=sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9,
        wake_ups=sum(int(_WAKE_UPS.findall((thread / "status").read_text())[0]) for thread in threads),
        rss=sum(process.memory_info().rss for process in family),
    )


def _figures(costs: dict[str, list[_Cost]], missing: dict[str, str], window: float) -> list[Figure]:
    figures: list[Figure] = []
    for what, unit, limit, per_window in _MEASURES:
        for name, seen in costs.items():
            values = [per_window(before, after, window) for before, after in pairwise(seen)]
            target = at_most(limit) if name == QUEUECTL.name else None
            figures.append(
                replace(Figure.of(what, name, unit, values, target=target), median=statistics.fmean(values))
            )
        figures += [
            Figure(name=what, contestant=name, unit=unit, missing=why) for name, why in missing.items()
        ]
    return figures


_MEASURES: tuple[tuple[str, str, float, Callable[[_Cost, _Cost, float], float]], ...] = (
    ("share of a core", "%", 0.1, lambda before, after, window: (after.cpu_s - before.cpu_s) / window * 100),
    ("wake-ups a second", "/s", 3, lambda before, after, window: (after.wake_ups - before.wake_ups) / window),
    ("memory (RSS)", "MB", 45, lambda _before, after, _window: after.rss / 1e6),
)
"""What, its unit, at most how much, and how it is reckoned. A figure is the mean over all windows."""
