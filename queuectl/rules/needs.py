"""What specs may need of each other: specs that are there, and no cycle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from queuectl.model.errors import SpecFault, SpecFaultsError
from queuectl.model.spec import JobSpec, LoadedSpec
from queuectl.rules.graph import find_cycle
from queuectl.rules.nearest import did_you_mean

_SHOWN = 40
"""Names of a cycle that are shown at most."""


def refuse_faults(loaded: Sequence[LoadedSpec], others: Mapping[str, JobSpec] | None) -> None:
    """Raise SpecFaultsError for unknown names and cycles. `others`: what else there is; None: nobody knows."""
    specs = {one.spec.name or "": one.spec for one in loaded}
    if not any(spec.needs for spec in specs.values()):
        return
    if found := [*_unknown(specs, others), *_cycles(specs, others or {})]:
        raise SpecFaultsError(found)


def users(name: str, specs: Mapping[str, JobSpec]) -> Sequence[str]:
    """Return which of the specs need this one."""
    return sorted(one for one, spec in specs.items() if any(need.job == name for need in spec.needs))


def _unknown(specs: Mapping[str, JobSpec], others: Mapping[str, JobSpec] | None) -> Iterator[SpecFault]:
    if others is None:
        return
    names = specs.keys() | others.keys()
    for name, spec in specs.items():
        for index, need in enumerate(spec.needs):
            if need.job not in names:
                hint = did_you_mean(need.job, sorted(names - {name}))
                yield SpecFault(name, ("needs", index), f"there is no job '{need.job}'{hint}")


def _cycles(specs: Mapping[str, JobSpec], others: Mapping[str, JobSpec]) -> Iterator[SpecFault]:
    needs = {name: [need.job for need in spec.needs] for name, spec in {**others, **specs}.items()}
    while cycle := find_cycle(needs):
        start = next(index for index, name in enumerate(cycle) if name in specs)
        ring = [*cycle[start:-1], *cycle[:start], cycle[start]]
        place = ("needs", [need.job for need in specs[ring[0]].needs].index(ring[1]))
        yield SpecFault(ring[0], place, f"these need each other in a circle: {_arrows(ring)}")
        needs = {name: needed for name, needed in needs.items() if name not in cycle}


def _arrows(ring: Sequence[str]) -> str:
    shown = ring
    if len(ring) > _SHOWN:
        shown = [*ring[: _SHOWN - 2], f"… {len(ring) - _SHOWN + 1} more", ring[-1]]
    return " → ".join(shown)
