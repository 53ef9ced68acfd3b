"""What the database holds: whether it is whole and can be read."""

from __future__ import annotations

from collections.abc import Iterator

from queuectl.service.context import Context
from queuectl.service.doctor.finding import Finding, counted, ok, problem, some
from queuectl.service.doctor.queue_file import restoring
from queuectl.store.health import Health
from queuectl.store.store import Store

_LOOKED_AT = ("job ", "attempt ", "spec ")


def integrity(ctx: Context, *, quick: bool) -> Iterator[Finding]:
    """Let SQLite check its file, and see that no table, index or trigger is missing."""
    health = Health(ctx.store.database)
    faults = health.faults(quick=quick)
    missing = _missing(health)
    if faults:
        text = f"SQLite finds {counted(len(faults), 'fault')}: {some(faults)}"
        yield problem("integrity", text, restoring(ctx.path), exit_code=5)
    if missing:
        yield problem("integrity", f"missing: {some(missing)}", restoring(ctx.path), exit_code=5)
        return
    if strays := 0 if faults else health.broken_references():
        text = f"{counted(strays, 'row')} belong to one that isn't there"
        yield problem("integrity", text, restoring(ctx.path))
    elif not faults:
        yield ok("integrity", f"SQLite's {'quick check' if quick else 'integrity check'} finds no fault")


def rows(ctx: Context) -> Iterator[Finding]:
    """See that every row can be read: SQLite doesn't notice a byte that changed inside of a value."""
    damaged = list(Health(ctx.store.database).damaged())
    if not damaged:
        yield ok("rows", "every job, attempt and spec can be read")
        return
    text = f"{counted(len(damaged), 'row')} can't be read: {some([one.what for one in damaged], 5)} ({damaged[0].how})"
    advice = (
        "a damaged job that is claimed goes to the DLQ, the others run on; a damaged spec comes back when its"
    )
    yield problem(
        "rows", text, f"{advice} files are changed and applied. For all of it {restoring(ctx.path)}"
    )


def damage_met(met: list[str], *, quick: bool) -> Iterator[Finding]:
    """Say what other checks couldn't read, of what `rows` doesn't look at."""
    others = [text for text in dict.fromkeys(met) if quick or not text.startswith(_LOOKED_AT)]
    if others:
        yield problem("rows", some(others), "the rest works on; without --quick every row is looked at")


def _missing(health: Health) -> list[str]:
    whole = Store.empty()
    try:
        return health.missing_parts(Health(whole.database))
    finally:
        whole.close()
