from __future__ import annotations

from pathlib import Path

import pytest

from queuectl.engine.firing import fire_due
from queuectl.model.config import Config
from queuectl.model.errors import UnknownError
from queuectl.model.states import FireOutcome
from queuectl.service.context import Context
from queuectl.service.fires import coming, coming_of_files, ledger
from queuectl.service.specs import delete, pause
from tests.service.applying import apply_files, write
from tests.service.conftest import NOON, Clock

HOUR = 3_600_000
FILES = {
    "hourly.yaml": "command: a\nschedule: '0 * * * *'\n",
    "nightly.yaml": "command: b\nschedule: {cron: '0 2 * * *', jitter: 10m}\ntimezone: Europe/Berlin\n",
    "often.yaml": "command: c\nschedule: {every: 90m}\n",
    "once.yaml": "command: d\n",
    "held.yaml": "command: e\nschedule: '@hourly'\npaused: true\n",
}


def seen(fires: list[object]) -> list[tuple[str, int]]:
    return [(fire.spec, (fire.due_at - NOON) // 60_000) for fire in fires]  # type: ignore[attr-defined]


def test_the_next_of_each_schedule_soonest_first(ctx: Context, tmp_path: Path) -> None:
    apply_files(ctx, tmp_path / "d", FILES)
    assert seen([*coming(ctx)]) == [("often", 0), ("hourly", 60), ("nightly", 720)]
    nightly = coming(ctx)[-1]
    assert nightly.zone == "Europe/Berlin"
    assert 0 < nightly.fire_at - nightly.due_at <= 600_000


def test_as_many_of_each_as_are_asked_for(ctx: Context, tmp_path: Path) -> None:
    apply_files(ctx, tmp_path / "d", FILES)
    assert seen([*coming(ctx, count=2)]) == [
        ("often", 0),
        ("hourly", 60),
        ("often", 90),
        ("hourly", 120),
        ("nightly", 720),
        ("nightly", 2160),
    ]
    assert seen([*coming(ctx, count=2, specs=["hourly"])]) == [("hourly", 60), ("hourly", 120)]


def test_from_another_instant_on(ctx: Context, tmp_path: Path, clock: Clock) -> None:
    apply_files(ctx, tmp_path / "d", FILES)
    clock.pass_by(7)
    found = coming(ctx, from_ms=NOON + 24 * HOUR)
    assert seen([*found]) == [("hourly", 1440), ("often", 1440), ("nightly", 2160)]


def test_a_paused_or_pruned_spec_has_none(ctx: Context, tmp_path: Path) -> None:
    apply_files(ctx, tmp_path / "d", FILES)
    pause(ctx, "hourly")
    delete(ctx, "nightly")
    assert seen([*coming(ctx)]) == [("often", 0)]


def test_of_files_without_a_queue(tmp_path: Path) -> None:
    folder = write(tmp_path / "d", FILES)
    found = coming_of_files([folder], Config(timezone="Europe/Berlin"), from_ms=NOON)
    assert seen([*found]) == [("hourly", 0), ("often", 0), ("nightly", 720)]
    assert [fire.zone for fire in found][-1] == "Europe/Berlin"


def test_the_ledger_says_what_became_of_each(ctx: Context, tmp_path: Path, clock: Clock) -> None:
    apply_files(ctx, tmp_path / "d", {"hourly.yaml": FILES["hourly.yaml"], "held.yaml": FILES["held.yaml"]})
    clock.pass_by(HOUR)
    fire_due(ctx.store, ctx.config, now=clock.now)
    assert [(fire.spec, fire.outcome) for fire in ledger(ctx)] == [
        ("held", FireOutcome.PAUSED),
        ("hourly", FireOutcome.FIRED),
    ]
    assert [fire.spec for fire in ledger(ctx, "held")] == ["held"]
    assert ledger(ctx, since=NOON + HOUR + 1) == []
    assert len(ledger(ctx, limit=1)) == 1


def test_the_ledger_of_a_pruned_spec_stays_and_an_unknown_one_has_none(ctx: Context, tmp_path: Path) -> None:
    apply_files(ctx, tmp_path / "d", FILES)
    delete(ctx, "hourly")
    assert ledger(ctx, "hourly") == []
    with pytest.raises(UnknownError, match="did you mean 'often'"):
        ledger(ctx, "oftenn")
