"""What a supervisor does about a worker that is gone, without any process."""

from __future__ import annotations

import pytest

from queuectl.service.lifeline import Report
from queuectl.service.place import GIVE_UP_AFTER, LONGEST_PAUSE_S, QUICK_S, Place

READY = Report(ready=True)
KILLED = -9


def die(place: Place, lived_s: float, report: Report = READY, code: int = KILLED) -> float:
    """Let a worker live for so long; return how long its place stays empty."""
    place.since = place.due_at
    now = place.since + lived_s
    assert place.ended(code, report, now) is not None
    assert place.is_due(place.due_at)
    assert not place.is_due(place.due_at - 0.001)
    return place.due_at - now


@pytest.mark.parametrize("code", [0, 1, 130])
def test_one_that_ended_by_its_own_will_is_not_replaced(code: int) -> None:
    place = Place()
    assert place.ended(code, READY, 5) is None
    assert place.over
    assert place.code == code
    assert not place.is_due(1e9)


def test_one_that_dies_is_replaced_at_once_then_more_and_more_slowly() -> None:
    place = Place()
    assert [die(place, 1) for _ in range(8)] == [0, 1, 2, 4, 8, 16, LONGEST_PAUSE_S, LONGEST_PAUSE_S]
    assert die(place, QUICK_S) == 0
    assert die(place, 1) == 1
    assert place.error is None


def test_one_that_says_what_is_wrong_leaves_it_time_to_pass() -> None:
    place = Place()
    busy = Report(ready=True, error="q.db is busy")
    assert [die(place, 1, busy, code=4) for _ in range(3)] == [1, 2, 4]
    assert str(place.error) == "q.db is busy"
    assert place.error is not None
    assert place.error.exit_code == 4


def test_a_place_is_hopeless_when_nobody_gets_as_far_as_to_register() -> None:
    place = Place()
    for _ in range(GIVE_UP_AFTER - 1):
        die(place, 1, Report(), code=-11)
        assert place.error is None
    die(place, 1, Report(), code=-11)
    assert str(place.error) == "the worker processes end before they have started: SIGSEGV"
    die(place, 1, READY)
    assert place.error is None


def test_one_that_dies_while_everything_stops_is_not_replaced() -> None:
    place = Place()
    assert place.ended(KILLED, READY, 5, stopping=True) == "SIGKILL"
    assert place.over
    assert place.code == 130
