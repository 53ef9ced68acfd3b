"""What specs may need of each other: specs that are there, and no cycle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from queuectl.model.errors import InvalidSpecError
from queuectl.model.spec import JobSpec, LoadedSpec
from queuectl.rules.graph import find_cycle
from queuectl.rules.nearest import did_you_mean


def faults(loaded: Sequence[LoadedSpec], others: Mapping[str, JobSpec] | None) -> Sequence[str]:
    """Return what is wrong, `file:line: message` each. `others`: what else there is; None: nobody knows."""
    if not any(one.spec.needs for one in loaded):
        return []
    return [*_unknown(loaded, others), *_cycle(loaded, others or {})]


def refuse_faults(loaded: Sequence[LoadedSpec], others: Mapping[str, JobSpec] | None) -> None:
    """Raise InvalidSpecError that lists what `faults` finds, if it finds anything."""
    if found := faults(loaded, others):
        total = f"{len(found)} error{'' if len(found) == 1 else 's'}; nothing was changed"
        raise InvalidSpecError("\n".join([*found, total]))


def users(name: str, specs: Mapping[str, JobSpec]) -> Sequence[str]:
    """Return which of the specs need this one."""
    return sorted(one for one, spec in specs.items() if any(need.job == name for need in spec.needs))


def _unknown(loaded: Sequence[LoadedSpec], others: Mapping[str, JobSpec] | None) -> Iterator[str]:
    if others is None:
        return
    names = {one.spec.name or "" for one in loaded} | others.keys()
    for one in loaded:
        for need in one.spec.needs:
            if need.job not in names:
                hint = did_you_mean(need.job, sorted(names - {one.spec.name or ""}))
                yield f"{one.file}:{one.line}: {one.spec.name}: needs: there is no job '{need.job}'{hint}"


def _cycle(loaded: Sequence[LoadedSpec], others: Mapping[str, JobSpec]) -> Iterator[str]:
    specs = {**others, **{one.spec.name or "": one.spec for one in loaded}}
    cycle = find_cycle({name: [need.job for need in spec.needs] for name, spec in specs.items()})
    if cycle is None:
        return
    one = next(one for one in loaded if one.spec.name in cycle)
    shown = (
        cycle
        if len(cycle) <= _SHOWN
        else [*cycle[: _SHOWN - 2], f"… {len(cycle) - _SHOWN + 1} more", cycle[-1]]
    )
    yield f"{one.file}:{one.line}: {one.spec.name}: needs: these need each other in a circle: {' → '.join(shown)}"


_SHOWN = 40
"""Names of a cycle that are shown at most."""
