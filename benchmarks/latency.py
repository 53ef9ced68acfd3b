"""latency: from the call of enqueue to the first instruction of the job, when the worker was idle."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from functools import partial

from benchmarks.harness.figure import Figure, at_least, at_most, quantile
from benchmarks.harness.rounds import Rounds, interleaved
from benchmarks.harness.setting import Setting
from benchmarks.peers.everyone import NO_QUEUE, QUEUECTL, peers
from benchmarks.peers.peer import Peer

TITLE = "Latency: enqueue called → first instruction of the job, idle worker"
_TARGETS_MS = {0.5: 3.0, 0.99: 10.0}


def run(setting: Setting) -> list[Figure]:
    """Measure one after the other, alone on the machine; each job comes 50–150 ms after the one before started."""
    samples = setting.size(60, 3)
    contestants = {
        peer.name: partial(_pace, setting, peer, samples) for peer in (NO_QUEUE, QUEUECTL, *peers(setting))
    }
    rounds = interleaved(setting, contestants)
    return [
        figure
        for share, what in ((0.5, "median"), (0.99, "99 %"))
        for figure in _figures(rounds, list(contestants), what, share)
    ]


def _figures(rounds: Rounds[list[float]], names: Sequence[str], what: str, share: float) -> list[Figure]:
    base = _quantiles(rounds.found[QUEUECTL.name], share)
    figures = []
    for name in names:
        if name in rounds.missing:
            figures.append(Figure(name=what, contestant=name, unit="ms", missing=rounds.missing[name]))
            continue
        values = _quantiles(rounds.found[name], share)
        pooled = quantile([sample for samples in rounds.found[name] for sample in samples], share)
        target = at_most(_TARGETS_MS[share]) if name == QUEUECTL.name else at_least(1.0)
        figures.append(
            Figure(
                name=what,
                contestant=name,
                unit="ms",
                values=tuple(values),
                median=pooled,
                low=min(values),
                high=max(values),
                ratio=statistics.median(its / mine for its, mine in zip(values, base, strict=True)),
                against=QUEUECTL.name,
                target=None if name == NO_QUEUE.name else target,
            )
        )
    return figures


def _quantiles(rounds: Sequence[Sequence[float]], share: float) -> list[float]:
    return [quantile(samples, share) for samples in rounds]


def _pace(setting: Setting, peer: Peer, samples: int) -> list[float]:
    with setting.turn() as folder, peer.up(folder) as installed, installed.working():
        return installed.pace(samples, setting.stamp)
