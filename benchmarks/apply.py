"""apply: ten thousand spec files, new and unchanged."""

from __future__ import annotations

import json
import time
from pathlib import Path

from benchmarks.harness.figure import Figure, at_most
from benchmarks.harness.processes import QUEUECTL, run_or_die, surroundings
from benchmarks.harness.setting import Setting

TITLE = "Apply: a folder of spec files"
_SPEC = """\
description: Report number {number}
command: ./report --number {number} > /srv/reports/{number}.html
schedule: "{minute} {hour} * * *"
timezone: Europe/Berlin
retries: 5
timeout: 10m
labels: {{team: reports, number: "{number}"}}
"""


def run(setting: Setting) -> list[Figure]:
    """Measure whole commands: a first apply into a new queue, then the same again."""
    files = setting.size(10_000, 20)
    first: list[float] = []
    again: list[float] = []
    with setting.turn() as folder:
        write_specs(folder, files)
        for number in range(setting.rounds):
            setting.say(f"round {number + 1} of {setting.rounds}: {files:,} files")
            with setting.turn() as place:
                first.append(_apply(folder, place, created=files, unchanged=0))
                again.append(_apply(folder, place, created=0, unchanged=files))
    setting.say("")
    what = f"{files:,} files"
    return [
        Figure.of(what, "apply, all new", "s", first, target=at_most(10)),
        Figure.of(what, "apply, all unchanged", "s", again, target=at_most(3)),
    ]


def write_specs(folder: Path, files: int) -> None:
    """Write spec files, a hundred to a folder; each fires once a day."""
    for number in range(files):
        place = folder / f"{number // 100:03}"
        place.mkdir(exist_ok=True)
        text = _SPEC.format(number=number, minute=number % 60, hour=number // 60 % 24)
        (place / f"report-{number}.yaml").write_text(text)


def _apply(specs: Path, place: Path, *, created: int, unchanged: int) -> float:
    env = surroundings(QUEUECTL_DB=str(place / "queue.db"))
    before = time.perf_counter()
    said = run_or_die([QUEUECTL, "apply", str(specs), "--yes", "-o", "json"], env=env, folder=place)
    seconds = time.perf_counter() - before
    report = json.loads(said)
    if (len(report["created"]), report["unchanged"]) != (created, unchanged):
        raise RuntimeError(f"apply reported {len(report['created'])} new, {report['unchanged']} unchanged")
    return seconds
