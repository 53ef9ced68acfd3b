"""YAML text to values with places.

The events of PyYAML's parser are put together here rather than by its constructor: the events don't recurse
(50,000 nested brackets crash the C composer), limits hold before anything is built, and every value keeps its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NoReturn

import msgspec
import yaml

from queuectl.specs.faults import MAX_FAULTS_SHOWN, Fault, cropped, fault_at
from queuectl.specs.places import Place, PlacedDict, PlacedList, Source
from queuectl.specs.scalars import resolve
from queuectl.specs.syntax import conflict_mark, explain

MAX_DEPTH = 20
MAX_ALIASED = 10_000
"""Values that aliases may repeat in one file."""

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_MERGE = object()
_NO_KEY = object()
_BAD_KEY = object()

_NOT_ALLOWED = re.compile(
    "[^\t\n\r -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]|\r(?!\n)"
)
_SURROGATE_PAIR = re.compile(
    r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})"
)
_TAG_PREFIX = "tag:yaml.org,2002:"


def read(source: Source) -> tuple[Any, list[Fault]]:
    """The file's one document and what is wrong with it as YAML; the value is None when it can't be read on.

    The value of a mapping or list is a PlacedDict or PlacedList.
    """
    reader = _Reader(source)
    try:
        reader.read_all()
    except _StopReading:
        return None, reader.faults
    return reader.root, reader.faults


class _StopReading(Exception):  # noqa: N818  not an error of its own: the fault is on record
    """There is no sense in reading on."""


class _Frame(msgspec.Struct):
    """A mapping or list that is being read."""

    container: PlacedDict | PlacedList
    anchor: str | None
    first: int
    """Count of values before it."""
    key: Any = _NO_KEY
    key_at: Place | None = None
    merges: list[tuple[Any, Place]] = []


class _Reader:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.faults: list[Fault] = []
        self.root: Any = None
        self._stack: list[_Frame] = []
        self._anchors: dict[str, tuple[Any, int, str | None] | None] = {}
        self._documents = 0
        self._values = 0
        self._aliased = 0

    def read_all(self) -> None:
        self._check_characters()
        for event in self._events():
            match event:
                case yaml.ScalarEvent():
                    self._scalar(event)
                case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                    self._start(event)
                case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                    self._end()
                case yaml.AliasEvent():
                    self._alias(event)
                case yaml.DocumentStartEvent():
                    self._document(event)
        if not self._documents:
            self._stop(self._at(1, 1, 1), "the file is empty; expected a job, or jobs:")

    def _check_characters(self) -> None:
        text = self.source.text
        bad = _NOT_ALLOWED.search(text)
        if bad:
            code = ord(bad[0])
            what = "a carriage return without a newline" if code == 0x0D else f"the character U+{code:04X}"
            self._stop(self._offset(bad.start(), 1), f"{what} is not allowed in a spec file; remove it")

    def _events(self) -> Iterator[Any]:
        text = self.source.text
        if self.source.path.suffix == ".json":
            text = _SURROGATE_PAIR.sub(_joined_surrogates, text)
        try:
            yield from yaml.parse(text, Loader=LOADER)
        except yaml.MarkedYAMLError as error:
            self._syntax_error(error)

    def _syntax_error(self, error: yaml.MarkedYAMLError) -> NoReturn:
        text = self.source.text
        conflict = conflict_mark(text)
        if conflict:
            message = "a merge conflict was left here; choose one side and remove the marks"
            self._stop(self._offset(conflict.start(), len(conflict[0])), message)
        line, column, message = explain(error, text)
        self._stop(self._at(line, column, 1), message)

    def _document(self, event: Any) -> None:
        self._documents += 1
        if self._documents > 1:
            mark = event.start_mark
            self._stop(self._at(mark.line + 1, mark.column + 1, 0), "a second document; expected one a file")

    def _scalar(self, event: Any) -> None:
        place = self._place(event, event.value)
        value: Any = event.value
        if event.tag is not None:
            self._refuse_tag(event.tag, place)
        if event.style:
            self._check_string(value, place)
        elif value == "<<" and self._expects_key():
            value = _MERGE
        else:
            try:
                value = resolve(value)
            except ValueError as error:
                self._fault(place, f"{error}; put it in quotes if it is meant as a text")
                value = 0
        self._values += 1
        if event.anchor is not None:
            self._anchors[event.anchor] = (event.value if value is _MERGE else value, 1, event.value)
        self._add(value, place)

    def _check_string(self, value: str, place: Place) -> None:
        if "\0" in value:
            self._fault(place, "a NUL character can't be part of a value")
        if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            self._fault(place, "half of a surrogate pair is no character")

    def _start(self, event: Any) -> None:
        place = self._place(event, None)
        if event.tag is not None:
            self._refuse_tag(event.tag, place)
        if len(self._stack) == MAX_DEPTH:
            self._stop(place._replace(width=1), f"nested more than {MAX_DEPTH} deep")
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        container = PlacedDict(place) if isinstance(event, yaml.MappingStartEvent) else PlacedList(place)
        self._stack.append(_Frame(container, event.anchor, self._values))
        self._values += 1

    def _end(self) -> None:
        frame = self._stack.pop()
        container = frame.container
        if isinstance(container, PlacedDict):
            for value, place in frame.merges:
                self._merge(container, value, place)
        if frame.anchor is not None:
            self._anchors[frame.anchor] = (container, self._values - frame.first, None)
        self._add(container, container.place)

    def _alias(self, event: Any) -> None:
        name = event.anchor
        place = self._place(event, name)
        if name not in self._anchors:
            self._stop(
                place,
                f"no anchor &{cropped(name)} before this alias; put a text that starts with * in quotes",
            )
        anchored = self._anchors[name]
        if anchored is None:
            self._stop(place, f"the alias *{cropped(name)} is inside of what it stands for")
        value, size, text = anchored
        self._values += size
        self._aliased += size
        if self._aliased > MAX_ALIASED:
            self._stop(place, f"aliases repeat more than {MAX_ALIASED:,} values; write out what is meant")
        self._add(value, place._replace(text=text))

    def _add(self, value: Any, place: Place) -> None:
        if not self._stack:
            self.root = value if isinstance(value, PlacedDict) else None
            if self.root is None:
                self._stop(place, _no_mapping(value))
            return
        frame = self._stack[-1]
        container = frame.container
        if isinstance(container, PlacedList):
            container.append(value)
            container.items_at.append(place)
        elif frame.key is _NO_KEY:
            frame.key, frame.key_at = self._key(container, value, place), place
        else:
            key, key_at, frame.key = frame.key, frame.key_at, _NO_KEY
            if key is _MERGE:
                frame.merges.append((value, place))
            elif key is not _BAD_KEY and key_at is not None:
                container.put(key, value, key_at, key_at if place.text == "" and value is None else place)

    def _key(self, container: PlacedDict, key: Any, place: Place) -> Any:
        if key is _MERGE:
            return key
        if not isinstance(key, str):
            found = "a list or mapping" if place.text is None else cropped(place.text) or "nothing"
            self._fault(place, f"a key must be a text; found {found}; put it in quotes")
            return _BAD_KEY
        if key in container:
            first = container.keys_at[key].line
            self._fault(place, f"duplicate key '{cropped(key)}'; it stands in line {first} already")
            return _BAD_KEY
        return key

    def _merge(self, container: PlacedDict, value: Any, place: Place) -> None:
        for mapping in value if isinstance(value, PlacedList) else [value]:
            if not isinstance(mapping, PlacedDict):
                self._fault(place, "<<: expected an alias of a mapping, or a list of them")
                return
            container.inherit(mapping)

    def _expects_key(self) -> bool:
        return bool(
            self._stack
            and isinstance(self._stack[-1].container, PlacedDict)
            and self._stack[-1].key is _NO_KEY
        )

    def _refuse_tag(self, tag: str, place: Place) -> None:
        shown = tag.replace(_TAG_PREFIX, "!!")
        self._fault(place, f"the tag {cropped(shown)} is not allowed; write a plain value")

    def _place(self, event: Any, text: str | None) -> Place:
        start, end = event.start_mark, event.end_mark
        width = end.column - start.column if end.line == start.line else 0  # 0 also for block collections
        return Place(self.source, start.line + 1, start.column + 1, width, text)

    def _at(self, line: int, column: int, width: int) -> Place:
        return Place(self.source, line, column, width)

    def _offset(self, offset: int, width: int) -> Place:
        before = self.source.text[:offset]
        return self._at(before.count("\n") + 1, offset - before.rfind("\n"), width)

    def _fault(self, place: Place, message: str) -> None:
        self.faults.append(fault_at(place, message))
        if len(self.faults) >= MAX_FAULTS_SHOWN:
            raise _StopReading

    def _stop(self, place: Place, message: str) -> NoReturn:
        self.faults.append(fault_at(place, message))
        raise _StopReading


def _no_mapping(value: Any) -> str:
    if value is None:
        return "the file is empty; expected a job, or jobs:"
    found = "a list" if isinstance(value, PlacedList) else "a single value"
    return f"expected a mapping: a job's fields, or jobs:; found {found}"


def _joined_surrogates(match: re.Match[str]) -> str:
    """JSON writes 😀 as two escapes, YAML as one."""
    high, low = int(match[2], 16), int(match[3], 16)
    return f"{match[1]}\\U{0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00):08x}"
