"""Due instants of a schedule: cron entries merged, or every so often from an anchor.

A due instant is the one before jitter; it names the fire in the ledger. All instants and durations are ms.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby, islice, pairwise, takewhile
from zoneinfo import ZoneInfo

from queuectl.model.spec import Schedule
from queuectl.rules.cron import CronExpression, parse_cron, words
from queuectl.rules.units import MAX_DURATION_MS, format_duration
from queuectl.rules.zones import zone_named

MIN_EVERY_MS = 100
_MINUTE_MS = 60_000
MAX_CRON_ENTRIES = 100
_LOOKED_AHEAD_MS = 10 * 366 * 86_400_000


def check_schedule(schedule: Schedule) -> None:
    """Raise ValueError, which names the field, for a schedule that can't be kept."""
    if bool(schedule.cron) == (schedule.every_ms is not None):
        raise ValueError(f"expected either cron or every, found {'both' if schedule.cron else 'neither'}")
    if len(schedule.cron) > MAX_CRON_ENTRIES:
        raise ValueError(f"cron: expected at most {MAX_CRON_ENTRIES} entries, found {len(schedule.cron)}")
    for entry in schedule.cron:
        try:
            parse_cron(entry)
        except ValueError as error:
            raise ValueError(f"cron: {error}") from None
    if schedule.timezone is not None:
        try:
            zone_named(schedule.timezone)
        except ValueError as error:
            raise ValueError(f"timezone: {error}") from None
    _check_range("every", schedule.every_ms, MIN_EVERY_MS)
    _check_range("jitter", schedule.jitter_ms, 0)
    _check_range("spacing", schedule.spacing_ms, 0)
    # A fire is late by its jitter at least: with less time than that it could only ever expire.
    _check_range("start_within", schedule.start_within_ms, max(schedule.jitter_ms, 1))


def due_after(schedule: Schedule, *, anchor_ms: int, zone: str, after_ms: int) -> Iterator[int]:
    """Give the due instants strictly after `after_ms` in ascending order, each once, mostly without end.

    `anchor_ms` is the first apply of the spec: `every` counts from it, and is due at it for the first time.
    `zone` names the time zone that cron entries are read in.
    """
    if schedule.every_ms is not None:
        return _every_after(anchor_ms, schedule.every_ms, after_ms)
    place = zone_named(zone)
    entries = [_entry_after(parse_cron(entry), place, after_ms) for entry in schedule.cron]
    return (due for due, _ in groupby(heapq.merge(*entries)))


def next_due(schedule: Schedule, *, anchor_ms: int, zone: str, after_ms: int) -> int | None:
    """Give the first due instant strictly after `after_ms`; None when there is none."""
    if schedule.every_ms is not None:
        return next(_every_after(anchor_ms, schedule.every_ms, after_ms))
    return _next_of_cron(schedule.cron, zone, after_ms)


def jitter_offset(schedule: Schedule, name: str) -> int:
    """Give by how much the fires of the spec of that name are late: 0…`jitter_ms`, the same every time."""
    if not schedule.jitter_ms:
        return 0
    from hashlib import sha256  # noqa: PLC0415  loads OpenSSL, and few schedules have jitter

    digest = sha256(name.encode()).digest()
    return int.from_bytes(digest[:8]) % (schedule.jitter_ms + 1)


def describe_schedule(schedule: Schedule, zone: str) -> str:
    """Put a schedule into words: `At 02:00, Europe/Berlin`, `every 15m`."""
    if schedule.every_ms is not None:
        return f"every {format_duration(schedule.every_ms)}"
    return f"{'; '.join(words(entry) for entry in schedule.cron)}, {zone}"


def least_interval_ms(schedule: Schedule) -> int:
    """Give a time that no two fires are closer than, but where the clocks change; without a search."""
    if schedule.every_ms is not None:
        return schedule.every_ms
    if len(schedule.cron) > 1:
        return _MINUTE_MS
    return parse_cron(schedule.cron[0]).least_interval_ms


def shortest_interval_ms(schedule: Schedule, *, zone: str, after_ms: int, looked_at: int = 100) -> int | None:
    """Give the shortest time between two fires in a row, of the next `looked_at`; None when there is but one."""
    if schedule.every_ms is not None:
        return schedule.every_ms
    return _shortest_interval(schedule.cron, zone, after_ms, looked_at)


def gap_fires(schedule: Schedule, zone: str, from_ms: int, until_ms: int) -> list[int]:
    """Give the due instants in `from_ms`…`until_ms` that were moved there because a DST gap skips their time."""
    place = zone_named(zone)
    entries = map(parse_cron, schedule.cron)
    return sorted({due for entry in entries for due in entry.gap_fires(from_ms, until_ms, place)})


def _every_after(anchor_ms: int, every_ms: int, after_ms: int) -> Iterator[int]:
    due = anchor_ms + max(0, (after_ms - anchor_ms) // every_ms + 1) * every_ms
    while True:
        yield due
        due += every_ms


@lru_cache(maxsize=4096)
def _next_of_cron(cron: tuple[str, ...], zone: str, after_ms: int) -> int | None:
    """Remembered, because many specs of a queue fire at the same times."""
    place = zone_named(zone)
    found = (parse_cron(entry).next_after(after_ms, place) for entry in cron)
    return min((due for due in found if due is not None), default=None)


@lru_cache(maxsize=4096)
def _shortest_interval(cron: tuple[str, ...], zone: str, after_ms: int, looked_at: int) -> int | None:
    """Remembered as well. Of fires that are years apart few are looked at, because each is a long search."""
    fires = islice(due_after(Schedule(cron=cron), anchor_ms=0, zone=zone, after_ms=after_ms), looked_at)
    near = takewhile(lambda due: due < after_ms + _LOOKED_AHEAD_MS, fires)
    return min((later - due for due, later in pairwise(near)), default=None)


def _entry_after(entry: CronExpression, zone: ZoneInfo, after_ms: int) -> Iterator[int]:
    due = entry.next_after(after_ms, zone)
    while due is not None:
        yield due
        due = entry.next_after(due, zone)


def _check_range(name: str, value_ms: int | None, least_ms: int) -> None:
    if value_ms is None or least_ms <= value_ms <= MAX_DURATION_MS:
        return
    limit = f"at least {format_duration(least_ms)}" if value_ms < least_ms else "at most 100 years"
    raise ValueError(f"{name}: expected {limit}, found {format_duration(value_ms)}")
