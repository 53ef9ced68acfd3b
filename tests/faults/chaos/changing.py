"""Specs that change all the time, and are applied all the time."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any

from tests.faults.chaos.asking import SPECS, Asker
from tests.faults.chaos.ledger import command_of

STEADY_EVERY_MS = 1000
STEADY: dict[str, Any] = {
    "command": command_of("quick", 0),
    "retries": 1000,
    "schedule": {"every": f"{STEADY_EVERY_MS}ms", "overlap": "allow", "catch_up": "all"},
}
"""The spec that never changes: each of its instants is to be accounted for."""


class Applier:
    """Rewrites the spec files and applies them. Used by one thread."""

    def __init__(self, asker: Asker, folder: Path, chance: random.Random) -> None:
        self._asker = asker
        self._folder = folder
        self._chance = chance
        folder.mkdir()
        for name in SPECS:
            self._write(name)

    def torment(self) -> None:
        """Change some files, apply them all, wait a moment."""
        for name in self._chance.sample(SPECS, self._chance.randint(1, 3)):
            self._write(name)
        prune = ["--prune", "--yes"] if self._chance.random() < 0.5 else []
        self._asker.run("apply", "jobs.d", *prune, "-o", "json")
        time.sleep(self._chance.uniform(0.2, 1.5))

    def _write(self, name: str) -> None:
        """Write a file in one piece: others read it; or take it away."""
        path = self._folder / f"{name}.json"
        if name != SPECS[0] and self._chance.random() < 0.2:
            path.unlink(missing_ok=True)
            return
        spec = STEADY if name == SPECS[0] else self._spec()
        partial = self._folder / ".partial"
        partial.write_text(json.dumps(spec))
        partial.replace(path)

    def _spec(self) -> dict[str, Any]:
        chance = self._chance
        kind = chance.choices(["quick", "long", "flaky", "doomed", "deserter"], [6, 2, 2, 1, 1])[0]
        spec: dict[str, Any] = {
            "command": command_of(kind, chance.randrange(10_000)),
            "retries": 1 if kind in {"doomed", "deserter"} else 1000,
            "timeout": "500ms" if kind == "deserter" else "1m",
            "priority": chance.randint(-2, 2),
            "queue": chance.choice(["default", "default", "side"]),
        }
        if chance.random() < 0.8:
            spec["schedule"] = {
                "every": chance.choice(["500ms", "1s", "1700ms", "3s"]),
                "overlap": chance.choice(["skip", "queue", "replace", "allow"]),
                "catch_up": chance.choice(["none", "latest", "all"]),
            }
            if chance.random() < 0.3:
                spec["schedule"] |= {"jitter": "300ms", "start_within": "2s"}
        return spec
