"""The graph of specs that need others."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queuectl.rules.graph import below, critical_path, find_cycle, users_of


@pytest.mark.parametrize(
    ("needs", "cycle"),
    [
        ({}, None),
        ({"a": [], "b": ["a"], "c": ["a", "b"]}, None),
        ({"a": ["a"]}, ["a", "a"]),
        ({"a": ["b"], "b": ["a"], "c": ["b"]}, ["a", "b", "a"]),
        ({"z": ["b"], "b": ["c"], "c": ["d"], "d": ["b"], "a": ["z"]}, ["b", "c", "d", "b"]),
        ({"a": ["gone"]}, None),
    ],
)
def test_a_cycle_is_shown_in_order(needs: dict[str, list[str]], cycle: list[str] | None) -> None:
    assert find_cycle(needs) == cycle


def test_a_chain_and_a_ring_of_thousands() -> None:
    names = [f"{number:05}" for number in range(5_000)]
    chain = dict(zip(names[1:], ([name] for name in names), strict=False)) | {names[0]: []}
    assert find_cycle(chain) is None
    assert below([names[0]], users_of(chain)) == names[1:]
    ring = chain | {names[0]: [names[-1]]}
    assert find_cycle(ring) == [names[0], *reversed(names)]


@given(st.integers(0, 10_000))
def test_a_graph_without_a_cycle_has_an_order(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311
    names = [str(number) for number in range(12)]
    needs = {name: [other for other in names[:at] if dice.random() < 0.3] for at, name in enumerate(names)}
    assert find_cycle(needs) is None
    low, high = sorted(dice.sample(range(12), 2))
    needs[names[low]].append(names[high])
    reachable = names[low] in below([names[low]], users_of(needs)) or names[high] in below(
        [names[low]],
        {name: [user for user in users if user != names[low]] for name, users in users_of(needs).items()},
    )
    cycle = find_cycle(needs)
    assert (cycle is not None) == reachable
    if cycle:
        assert all(needed in needs[name] for name, needed in pairwise(cycle))


def test_below_is_each_once_and_breadth_first() -> None:
    users = users_of({"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"], "e": ["d"], "x": []})
    assert below(["a"], users) == ["b", "c", "d", "e"]
    assert below(["d"], users) == ["e"]


def test_the_critical_path_is_what_the_end_waited_for() -> None:
    needs = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]}
    assert critical_path(needs, {"a": 10, "b": 20, "c": 50, "d": 60}) == ["a", "c", "d"]
    assert critical_path(needs, {"a": 10, "b": 20}) == ["a", "b"]
    assert critical_path(needs, {}) == []
