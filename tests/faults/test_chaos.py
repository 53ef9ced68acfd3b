"""Chaos: workers are killed, stopped and started at random while others use the queue; an oracle judges the end.

`CHAOS_SEED` repeats the decisions of a run, `CHAOS_SECONDS` says how long it is to take.
"""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

import pytest

from tests.command import Queuectl
from tests.faults.chaos import ledger, oracle
from tests.faults.chaos.torment import calm, torment
from tests.faults.machine import need
from tests.faults.pace import LEASE_S, SOAK_MINUTES
from tests.store.test_state_machine import explore

SECONDS = float(os.environ.get("CHAOS_SECONDS") or SOAK_MINUTES * 60 or 60)


@pytest.mark.timeout(0 if SOAK_MINUTES else 600)
def test_nothing_is_lost_and_nothing_runs_twice_at_once(queuectl: Queuectl, tmp_path: Path) -> None:
    need(sys.platform == "linux", "Linux, to see in /proc what is left")
    seed = os.environ.get("CHAOS_SEED") or secrets.token_hex(4)
    book = tmp_path / "ledger"
    (tmp_path / "locks").mkdir()
    queuectl.env |= {"CHAOS_LEDGER": str(book), "QUEUECTL_BACKOFF_MAX": "500ms", "QUEUECTL_DEBUG": "1"}
    queuectl.deadline_s = 60 + 3 * LEASE_S
    record = torment(queuectl, seed=seed, seconds=SECONDS, lease_s=LEASE_S)
    calm(queuectl, record)
    lines, found = ledger.read(book), oracle.Found(queuectl.db)
    wrong = oracle.judge(queuectl, record, lines, found)
    print(f"seed {seed}, {tmp_path}\n{counts(lines, found)}\n{record.counts()}")
    assert not wrong, f"CHAOS_SEED={seed}, in {tmp_path}:\n" + "\n".join(wrong)


@pytest.mark.timeout(0 if SOAK_MINUTES else 300)
def test_the_store_does_what_its_model_does_for_longer() -> None:
    explore(round(300 * SOAK_MINUTES) or 60, 100, quick=False)


def counts(lines: list[ledger.Line], found: oracle.Found) -> str:
    """Say how much has happened."""
    states = ", ".join(f"{count} {state}" for state, count in found.states().items())
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in found.outcomes().most_common())
    starts = sum(line.event == "start" for line in lines)
    overlaps = sum(line.event == "overlap" for line in lines)
    return (
        f"{len(found.jobs)} jobs: {states}\n{len(found.attempts)} attempts: {outcomes}\n"
        f"{starts} starts and {overlaps} overlaps in the ledger, {len(found.fires)} fires"
    )
