"""The graph of specs that need others: who stands below whom, and the cycles that may not be."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import TypeVar

Node = TypeVar("Node", str, int)
Needs = Mapping[str, Collection[str]]
"""Names, and the names of what each of them needs. A name that is only needed may be missing."""


def find_cycle(needs: Needs) -> Sequence[str] | None:
    """Return a cycle, each name before what it needs, the first again at the end; None where there is none."""
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        ring: list[str] = error.args[1][-2::-1]  # there each is needed by the next one
        first = ring.index(min(ring))
        return [*ring[first:], *ring[:first], ring[first]]
    return None


def users_of(needs: Needs) -> Mapping[str, Sequence[str]]:
    """Turn the graph around: return who needs each name directly, in the order of `needs`."""
    users: dict[str, list[str]] = {}
    for name, needed in needs.items():
        for one in needed:
            users.setdefault(one, []).append(name)
    return users


def below(roots: Iterable[str], users: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """Return all that stand below the roots, without these, breadth first: each after what led to it first."""
    found: dict[str, None] = dict.fromkeys(roots)
    start = len(found)
    queue = deque(found)
    while queue:
        for user in users.get(queue.popleft(), ()):
            if user not in found:
                found[user] = None
                queue.append(user)
    return list(found)[start:]


def critical_path(needs: Mapping[Node, Collection[Node]], ends: Mapping[Node, int]) -> Sequence[Node]:
    """Return the chain that decided when the last one ended, first to last.

    `ends` are instants; what has not ended is not among them.
    """
    if not ends:
        return []
    path = [max(ends, key=lambda node: (ends[node], node))]
    while before := [node for node in needs.get(path[-1], ()) if node in ends]:
        path.append(max(before, key=lambda node: (ends[node], node)))
    return path[::-1]
