"""The fault suite: each test is named after the row of the catalogue that it provokes (`test_a01_…`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command import Queuectl
from tests.faults.pace import HEARTBEAT_S, KILL_AFTER_S, LEASE_S
from tests.faults.rows import ROWS
from tests.web.conftest import app, client, ctx, server, site, stranger

__all__ = ["app", "client", "ctx", "server", "site", "stranger"]

_ROW = re.compile(r"test_([a-j]\d\d)_")


@pytest.fixture
def queuectl(tmp_path: Path) -> Iterator[Queuectl]:
    """The command line in a folder of its own, with the times of a worker scaled down."""
    command = Queuectl(tmp_path)
    command.env |= {
        "QUEUECTL_HEARTBEAT": f"{HEARTBEAT_S}s",
        "QUEUECTL_LEASE": f"{LEASE_S}s",
        "QUEUECTL_KILL_AFTER": f"{KILL_AFTER_S}s",
    }
    command.deadline_s = 30 + 3 * LEASE_S
    yield command
    command.end()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say of every row how its tests ended."""
    ends: dict[str, set[str]] = {}
    for end in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.stats.get(end, []):
            if found := _ROW.search(report.nodeid):
                ends.setdefault(found[1].upper(), set()).add(end)
    terminalreporter.section("rows of the fault catalogue")
    for row, title in ROWS.items():
        terminalreporter.write_line(f"{row} {' '.join(sorted(ends.get(row, {'not run'}))):8} {title}")
