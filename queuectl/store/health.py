"""Health: what is wrong with the rows of a queue, found by reading alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import msgspec

from queuectl.model.spec import JobSpec
from queuectl.model.states import JobState, Outcome
from queuectl.store.database import Database, Row

PAGE = 2_000
"""Rows read at a time: however many there are, they take little memory."""

_decode = msgspec.json.Decoder(JobSpec).decode
_STATES = frozenset(state.value.encode() for state in JobState)
_OUTCOMES = frozenset(outcome.value.encode() for outcome in Outcome) | {b""}


class Damage(msgspec.Struct, frozen=True):
    """A row that can't be read."""

    what: str
    """`job 12`."""
    how: str


class Health:
    """Looks at all that a queue holds. Raises StoreInvalidError where that can't be read at all."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def faults(self, *, quick: bool) -> list[str]:
        """Return what SQLite itself finds wrong with the file, 20 lines at most; `quick` leaves indexes unread."""
        rows = self._db.run("quick_check" if quick else "integrity_check")
        lines = [str(value) for row in rows for value in row.values()]
        return [] if lines == ["ok"] else lines

    def missing_parts(self, whole: Health) -> list[str]:
        """Return which tables, indexes and triggers of a whole queue this one lacks; none where its schema is older."""
        if self._version() != whole._version():
            return []
        there = {(row["type"], row["name"]) for row in self._db.run("parts_of_schema")}
        wanted = {(row["type"], row["name"]) for row in whole._db.run("parts_of_schema")}
        return [
            f"{kind} {name}"
            for kind, name in sorted(wanted - there, key=lambda part: (part[0] != "table", part))
        ]

    def broken_references(self) -> int:
        """Return how many rows belong to one that isn't there."""
        return len(self._db.run("broken_references"))

    def damaged(self) -> Iterator[Damage]:
        """Yield the rows that can't be read, though SQLite sees nothing wrong with them."""
        for row in self._pages("job_bytes", "id"):
            if how := _body(row["body"]) or _word(row["state"], _STATES) or _text(row["texts"]):
                yield Damage(f"job {row['id']}", how)
        for row in self._pages("attempt_bytes", "at"):
            if how := _word(row["outcome"], _OUTCOMES) or _text(row["texts"]):
                yield Damage(f"attempt {row['number']} of job {row['job_id']}", how)
        for row in self._db.run("spec_bytes"):
            if how := _text(row["name"]) or _body(row["body"]):
                yield Damage(f"spec {_shown(row['name'])}", how)
        for row in self._pages("spec_version_bytes", "at"):
            if how := _text(row["name"]) or _body(row["body"]):
                yield Damage(f"version {row['version']} of spec {_shown(row['name'])}", how)

    def latest_instant(self) -> int | None:
        """Return when something was changed last, by the clock of whoever did it."""
        at: int | None = self._db.run("latest_instant")[0]["at"]
        return at

    def known_attempts(self, attempts: Iterable[tuple[int, int]]) -> Collection[tuple[int, int]]:
        """Return those of (job, number) that there are."""
        asked = msgspec.json.encode(list(attempts)).decode()
        return {(row["job_id"], row["number"]) for row in self._db.run("attempts_among", attempts=asked)}

    def kept_outputs(self) -> Iterator[str]:
        """Yield the names of the files that hold outputs of attempts that have ended."""
        return (row["output_file"] for row in self._pages("kept_outputs", "at"))

    def _version(self) -> int:
        version: int = self._db.run("schema_version")[0]["user_version"]
        return version

    def _pages(self, query: str, key: str) -> Iterator[Row]:
        after = -1
        while rows := self._db.run(query, after=after, limit=PAGE):
            yield from rows
            after = rows[-1][key]


def _body(data: bytes) -> str | None:
    try:
        _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return str(error)
    return None


def _word(data: bytes, words: Collection[bytes]) -> str | None:
    return None if data in words else f"expected a known word, found {_shown(data)!r}"


def _text(data: bytes) -> str | None:
    try:
        data.decode()
    except UnicodeDecodeError:
        return "a text in it is not UTF-8"
    return None


def _shown(data: bytes) -> str:
    return data.decode(errors="backslashreplace")
