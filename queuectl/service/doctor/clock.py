"""The clock: whether it is right, as far as the queue can tell."""

from __future__ import annotations

from collections.abc import Iterator

from queuectl.rules.instants import format_instant
from queuectl.rules.units import format_duration
from queuectl.service.context import Context
from queuectl.service.doctor.finding import Finding, ok, problem, warning
from queuectl.store.health import Health

SLACK_MS = 5_000
EARLIEST_MS = 1_767_225_600_000
"""2026-01-01: before this program was written. A machine without a battery starts in 1970."""
SET_IT = "set the clock, or let it be set: timedatectl set-ntp true"


def check(ctx: Context) -> Iterator[Finding]:
    """Compare the clock with the latest instants in the queue."""
    now = ctx.now()
    latest = Health(ctx.store.database).latest_instant()
    if now < EARLIEST_MS:
        yield problem("clock", f"it says {format_instant(now)}, which is long past", SET_IT)
    elif latest is not None and latest > now + SLACK_MS:
        ahead = format_duration((latest - now) // 1000 * 1000)
        text = f"the queue was changed at {format_instant(latest)}, {ahead} from now: the clock was set back"
        yield warning("clock", text, f"{SET_IT}; if it is right now, this passes by itself")
    else:
        yield ok("clock", f"{format_instant(now // 1000 * 1000)}, nothing in the queue is later")
