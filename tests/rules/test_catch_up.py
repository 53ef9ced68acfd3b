from __future__ import annotations

from itertools import takewhile
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queuectl.model.spec import Schedule
from queuectl.model.states import CatchUp, FireOutcome
from queuectl.rules.catch_up import (
    CAUGHT_UP_AT_MOST,
    COUNTED_AT_MOST,
    ON_TIME_MS,
    FireDecision,
    PlannedFire,
    decide_fires,
)
from queuectl.rules.instants import format_instant, parse_instant
from queuectl.rules.schedule import due_after, jitter_offset

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
T0 = 1_767_225_600_000  # 2026-01-01T00:00:00Z
YEAR = 365 * DAY


def decide(
    schedule: Schedule, *, now: int, due: int | None = T0, paused: bool = False, name: str = "a"
) -> FireDecision:
    return decide_fires(
        schedule, name=name, anchor_ms=T0, zone="UTC", next_due_ms=due, now_ms=now, paused=paused
    )


def shown(decision: FireDecision) -> list[tuple[Any, ...]]:
    """Give (outcome, minutes from T0, minutes of the end from T0, count) of each fire."""
    return [
        (
            str(fire.outcome),
            (fire.due_at - T0) // MINUTE,
            None if fire.until is None else (fire.until - T0) // MINUTE,
            fire.count,
        )
        for fire in decision.fires
    ]


def hourly(catch_up: CatchUp = CatchUp.LATEST, **more: Any) -> list[Schedule]:
    """Give the same schedule in both ways: by cron and by every."""
    return [
        Schedule(cron=("0 * * * *",), catch_up=catch_up, **more),
        Schedule(every_ms=HOUR, catch_up=catch_up, **more),
    ]


CASES = [
    # what, schedules, now, paused, fires, next due (minutes from T0)
    ("nothing is due", hourly(), T0 - 1, False, [], 0),
    ("to the millisecond", hourly(), T0, False, [("fired", 0, None, 1)], 60),
    ("down for 2 s", hourly(), T0 + 2000, False, [("fired", 0, None, 1)], 60),
    ("as late as on time goes", hourly(), T0 + ON_TIME_MS, False, [("fired", 0, None, 1)], 60),
    ("later than that", hourly(), T0 + ON_TIME_MS + 1, False, [("caught_up", 0, None, 1)], 60),
    (
        "latest: the newest stands for all",
        hourly(),
        T0 + 150 * MINUTE,
        False,
        [("missed", 0, 60, 2), ("caught_up", 120, None, 1)],
        180,
    ),
    (
        "latest: one that is on time stands for all",
        hourly(),
        T0 + 2 * HOUR + 1,
        False,
        [("missed", 0, 60, 2), ("fired", 120, None, 1)],
        180,
    ),
    ("none", hourly(CatchUp.NONE), T0 + 150 * MINUTE, False, [("missed", 0, 120, 3)], 180),
    (
        "none: a single one is no stretch",
        hourly(CatchUp.NONE),
        T0 + MINUTE,
        False,
        [("missed", 0, None, 1)],
        60,
    ),
    (
        "none: on time",
        hourly(CatchUp.NONE),
        T0 + HOUR,
        False,
        [("missed", 0, None, 1), ("fired", 60, None, 1)],
        120,
    ),
    (
        "all",
        hourly(CatchUp.ALL),
        T0 + HOUR,
        False,
        [("caught_up", 0, None, 1), ("fired", 60, None, 1)],
        120,
    ),
    (
        "all: at most so many",
        hourly(CatchUp.ALL),
        T0 + 104 * HOUR + MINUTE,
        False,
        [("missed", 0, 240, 5), *(("caught_up", 300 + 60 * n, None, 1) for n in range(100))],
        105 * 60,
    ),
    (
        "expired before caught up",
        hourly(CatchUp.ALL, start_within_ms=90 * MINUTE),
        T0 + 3 * HOUR + 30 * MINUTE,
        False,
        [("expired", 0, 60, 2), ("caught_up", 120, None, 1), ("caught_up", 180, None, 1)],
        240,
    ),
    (
        "all of them expired",
        hourly(start_within_ms=5 * MINUTE),
        T0 + 90 * MINUTE,
        False,
        [("expired", 0, 60, 2)],
        120,
    ),
    (
        "expired although on time",
        hourly(start_within_ms=5000),
        T0 + 5001,
        False,
        [("expired", 0, None, 1)],
        60,
    ),
    ("just within", hourly(start_within_ms=5000), T0 + 5000, False, [("fired", 0, None, 1)], 60),
    ("paused", hourly(start_within_ms=5000), T0 + 2 * HOUR, True, [("paused", 0, 120, 3)], 180),
    ("paused, a single one", hourly(CatchUp.ALL), T0, True, [("paused", 0, None, 1)], 60),
]


@pytest.mark.parametrize(
    ("schedules", "now", "paused", "fires", "following"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_what_becomes_of_what_is_due(
    schedules: list[Schedule], now: int, paused: bool, fires: list[Any], following: int
) -> None:
    for schedule in schedules:
        decision = decide(schedule, now=now, paused=paused)
        assert shown(decision) == fires
        assert decision.next_due_ms == T0 + following * MINUTE


def test_everything_that_fires_says_when_its_job_runs() -> None:
    schedule = Schedule(every_ms=HOUR, catch_up=CatchUp.ALL, spacing_ms=7 * MINUTE)
    now = T0 + 3 * HOUR + 1000
    assert [fire.run_at for fire in decide(schedule, now=now).fires] == [
        now,
        now + 7 * MINUTE,
        now + 14 * MINUTE,
        T0 + 3 * HOUR,
    ]


def test_reasons_are_for_people() -> None:
    late = decide(Schedule(every_ms=HOUR), now=T0 + 150 * MINUTE)
    assert [fire.reason for fire in late.fires] == [
        "nothing ran when it was due; a later fire makes up for it",
        "nothing ran when it was due, 30m ago",
    ]
    expired = decide(Schedule(every_ms=HOUR, start_within_ms=HOUR), now=T0 + HOUR + 1)
    assert [fire.reason for fire in expired.fires] == ["later than start_within, 1h", None]
    paused = decide(Schedule(every_ms=HOUR), now=T0, paused=True)
    assert [fire.reason for fire in paused.fires] == ["the spec was paused"]


def test_fires_wait_for_their_jitter() -> None:
    schedule = Schedule(every_ms=HOUR, jitter_ms=30 * MINUTE)
    offset = jitter_offset(schedule, "a")
    assert ON_TIME_MS < offset < 30 * MINUTE
    assert decide(schedule, now=T0 + offset - 1) == FireDecision(fires=(), next_due_ms=T0)
    on_time = PlannedFire(due_at=T0, outcome=FireOutcome.FIRED, run_at=T0 + offset)
    assert decide(schedule, now=T0 + offset + ON_TIME_MS) == FireDecision(
        fires=(on_time,), next_due_ms=T0 + HOUR
    )
    assert shown(decide(schedule, now=T0 + offset + ON_TIME_MS + 1)) == [("caught_up", 0, None, 1)]
    assert shown(decide(schedule, now=T0 + HOUR + offset)) == [("missed", 0, None, 1), ("fired", 60, None, 1)]


def test_a_schedule_that_never_fires_again() -> None:
    assert decide(Schedule(every_ms=HOUR), now=T0, due=None) == FireDecision(fires=(), next_due_ms=None)


@pytest.mark.parametrize("back", [HOUR, 23 * HOUR])
def test_a_clock_that_is_set_back_repeats_nothing(back: int) -> None:
    assert decide(Schedule(cron=("0 * * * *",)), now=T0 - back) == FireDecision(fires=(), next_due_ms=T0)


@pytest.mark.parametrize("paused", [True, False])
@pytest.mark.parametrize("jitter_ms", [0, 2 * HOUR])
def test_every_counts_anew_where_its_next_instant_is_further_off_than_an_interval(
    paused: bool, jitter_ms: int
) -> None:
    schedule = Schedule(every_ms=HOUR, jitter_ms=jitter_ms)
    as_it_was = decide(schedule, now=T0, due=T0 + HOUR, paused=paused)
    assert (as_it_was.next_due_ms, as_it_was.anchor_ms) == (T0 + HOUR, None)
    anew = decide(schedule, now=T0 - 1, due=T0 + HOUR, paused=paused)
    assert (anew.fires, anew.next_due_ms, anew.anchor_ms) == ((), T0 + HOUR - 1, T0 - 1)
    out_of_step = decide(schedule, now=T0 - HOUR, due=T0 + HOUR, paused=paused)
    assert (out_of_step.next_due_ms, out_of_step.anchor_ms) == (T0 - 1, T0 - HOUR - 1), "not met before"
    never_fired = decide(schedule, now=T0 - HOUR - 1, due=T0, paused=paused)
    assert (never_fired.fires, never_fired.next_due_ms, never_fired.anchor_ms) == (
        (),
        T0 - HOUR - 1,
        T0 - HOUR - 1,
    )


def test_what_was_due_by_a_clock_far_ahead_is_set_right() -> None:
    in_2100 = parse_instant("2100-01-01T00:00Z", zone="UTC")
    assert decide(Schedule(cron=("0 * * * *",)), now=T0 + 1, due=in_2100).next_due_ms == T0 + HOUR


def test_a_rare_schedule_is_not_taken_for_a_wrong_clock() -> None:
    in_2028 = parse_instant("2028-02-29T00:00Z", zone="UTC")
    decision = decide(Schedule(cron=("0 0 29 2 *",)), now=T0, due=in_2028)
    assert decision == FireDecision(fires=(), next_due_ms=in_2028)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("catch_up", CatchUp)
@pytest.mark.parametrize(
    "schedule",
    [
        Schedule(cron=("* * * * *",)),
        Schedule(cron=("* * * 1 *", "30 2 * * *")),
        Schedule(cron=("0 0 29 2 *",)),
        Schedule(every_ms=100),
    ],
)
def test_years_of_downtime_take_no_time(schedule: Schedule, catch_up: CatchUp) -> None:
    from msgspec.structs import replace

    decision = decide(replace(schedule, catch_up=catch_up), now=T0 + 3 * YEAR + MINUTE // 2)
    assert len(decision.fires) <= CAUGHT_UP_AT_MOST + 1 + ON_TIME_MS // 100 + 1


def test_long_stretches_of_cron_are_counted_up_to_a_limit_and_say_so() -> None:
    now = T0 + 30 * DAY + MINUTE // 2
    (stretch,) = decide(Schedule(cron=("* * * * *",), catch_up=CatchUp.NONE), now=now).fires
    assert (stretch.due_at, stretch.until, stretch.count) == (T0, T0 + 30 * DAY, COUNTED_AT_MOST)
    assert f"at least {COUNTED_AT_MOST} instants" in (stretch.reason or "")
    (exact,) = decide(Schedule(every_ms=MINUTE, catch_up=CatchUp.NONE), now=now).fires
    assert (exact.due_at, exact.until, exact.count) == (T0, T0 + 30 * DAY, 30 * 24 * 60 + 1)
    assert "at least" not in (exact.reason or "")


SCHEDULES = st.builds(
    Schedule,
    cron=st.sampled_from([("*/5 * * * *",), ("0 * * * *", "30 */2 * * *"), ("17 3 * * *",), ("* 1 * * *",)]),
    catch_up=st.sampled_from(CatchUp),
    jitter_ms=st.sampled_from([0, 90_000]),
    start_within_ms=st.sampled_from([None, 100_000, HOUR]),
    spacing_ms=st.sampled_from([0, 1000]),
) | st.builds(Schedule, every_ms=st.sampled_from([5000, 7 * MINUTE, DAY]), catch_up=st.sampled_from(CatchUp))


@settings(max_examples=150, deadline=None)
@given(SCHEDULES, st.integers(0, 10 * HOUR), st.booleans())
def test_every_instant_has_exactly_one_fate(schedule: Schedule, downtime: int, paused: bool) -> None:
    now = T0 + downtime
    first = next(due_after(schedule, anchor_ms=T0, zone="UTC", after_ms=T0 - 1))
    decision = decide(schedule, now=now, due=first, paused=paused)
    instants = due_after(schedule, anchor_ms=T0, zone="UTC", after_ms=first - 1)
    latest = now - jitter_offset(schedule, "a")
    expected = list(takewhile(lambda at: at <= latest, instants))
    told: list[int] = []
    for fire in decision.fires:
        until = fire.due_at if fire.until is None else fire.until
        told += (stretch := [at for at in expected if fire.due_at <= at <= until])
        assert fire.count == len(stretch)
        assert (stretch[0], stretch[-1]) == (fire.due_at, until)
        makes_job = fire.outcome in {FireOutcome.FIRED, FireOutcome.CAUGHT_UP}
        assert (fire.run_at is not None) == makes_job
        assert fire.count == 1 or not makes_job
        if schedule.start_within_ms is not None and not paused:
            expired = now - until > schedule.start_within_ms
            assert expired == (fire.outcome is FireOutcome.EXPIRED), format_instant(until)
    assert told == expected
    assert decision.next_due_ms == next(
        at for at in due_after(schedule, anchor_ms=T0, zone="UTC", after_ms=first - 1) if at > latest
    )
    jobs = sum(fire.outcome is FireOutcome.CAUGHT_UP for fire in decision.fires)
    assert jobs <= {CatchUp.NONE: 0, CatchUp.LATEST: 1, CatchUp.ALL: 100}[schedule.catch_up]
