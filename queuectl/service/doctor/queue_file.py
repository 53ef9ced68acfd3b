"""The queue: whether there is one, and one that this queuectl can read."""

from __future__ import annotations

from pathlib import Path

from queuectl.model.errors import QueuectlError, StoreInvalidError
from queuectl.rules.units import format_size
from queuectl.service.doctor.finding import Finding, ok, problem
from queuectl.store.store import Store


def look(path: Path) -> tuple[Store | None, Finding]:
    """Open the queue for reading; None where that can't be."""
    try:
        store = Store.open_to_look(path)
    except QueuectlError as error:
        return None, problem("queue", str(error), _advice(error, path), exit_code=error.exit_code)
    if store is None:
        advice = "'queuectl enqueue', 'apply' and 'run' make one; --db PATH or QUEUECTL_DB names another"
        return None, problem("queue", f"there is no queue at {path} yet", advice)
    return store, ok("queue", f"{path}, {format_size(path.stat().st_size)}")


def restoring(path: Path) -> str:
    """Say how to bring a backup back."""
    name = path.name
    return (
        f"restore a backup: stop all workers, move {name}, {name}-wal and {name}-shm away, copy the backup to {path},"
        f" start the workers; without one, sqlite3's .recover saves what can be read"
    )


def _advice(error: QueuectlError, path: Path) -> str:
    text = str(error)
    if "newer" in text:
        return "upgrade queuectl, here or wherever the older one runs"
    if "another program" in text or "regular file" in text:
        return "name your queue's file with --db PATH or QUEUECTL_DB"
    if "damaged" in text or "gone" in text:
        return restoring(path)
    if isinstance(error, StoreInvalidError):
        return f"name your queue's file with --db PATH; if this is it, {restoring(path)}"
    return "run queuectl as the user whose queue it is, or name a queue of your own with --db PATH"
