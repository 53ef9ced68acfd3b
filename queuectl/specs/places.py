"""Where things stand in a file: containers that remember it, and the way from a path of keys to a place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec


class Source(msgspec.Struct, frozen=True, eq=False):
    """A spec file that was read."""

    name: str
    """The way to it, as it is shown in messages."""
    label: str
    """As it is stored: relative to the folder that was applied, with that folder's name in front."""
    path: Path
    """Absolute."""
    text: str


class Place(NamedTuple):
    """A stretch of one line of a file."""

    source: Source
    line: int
    """1-based."""
    column: int
    """1-based, in characters."""
    width: int
    """In characters; 0 reaches to the end of the line."""
    text: str | None = None
    """A scalar as it was written: `1.10`, where its value is 1.1."""


class PlacedDict(dict[str, Any]):
    """A mapping that knows where it, its keys and its values stand."""

    __slots__ = ("keys_at", "place", "values_at")

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place
        self.keys_at: dict[str, Place] = {}
        self.values_at: dict[str, Place] = {}

    def put(self, key: str, value: Any, key_at: Place, value_at: Place) -> None:
        """Set `key` with its places."""
        self[key] = value
        self.keys_at[key] = key_at
        self.values_at[key] = value_at

    def inherit(self, other: PlacedDict) -> None:
        """Take over what `other` has and this one lacks."""
        for key, value in other.items():
            if key not in self:
                self.put(key, value, other.keys_at[key], other.values_at[key])

    def copied(self) -> PlacedDict:
        """A shallow copy that may be changed."""
        copy = PlacedDict(self.place)
        copy.inherit(self)
        return copy


class PlacedList(list[Any]):
    """A list that knows where it and its items stand."""

    __slots__ = ("items_at", "place")

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place
        self.items_at: list[Place] = []


def place_of(root: Any, path: Sequence[str | int], *, on_key: bool = False) -> Place:
    """The place of the value at `path` below `root`, or of its key.

    Where the path leads to something that isn't there, the last place on the way.
    """
    place: Place = root.place
    value = root
    for step in path:
        if isinstance(value, PlacedDict) and isinstance(step, str) and step in value:
            place = (value.keys_at if on_key and step == path[-1] else value.values_at)[step]
        elif isinstance(value, PlacedList) and isinstance(step, int):
            place = value.items_at[step]
        else:
            break
        value = value[step]
    return place


def without(mapping: PlacedDict, paths: Iterable[tuple[str | int, ...]]) -> PlacedDict:
    """`mapping` without what stands at `paths`; a list goes as a whole when something in it does."""
    below: dict[str | int, list[tuple[str | int, ...]]] = {}
    for path in paths:
        if path:
            below.setdefault(path[0], []).append(path[1:])
    if not below:
        return mapping
    rest = PlacedDict(mapping.place)
    for key, value in mapping.items():
        inner = value
        if key in below:
            if () in below[key] or not isinstance(value, PlacedDict):
                continue
            inner = without(value, below[key])
        rest.put(key, inner, mapping.keys_at[key], mapping.values_at[key])
    return rest
