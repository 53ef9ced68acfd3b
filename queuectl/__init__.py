"""queuectl: jobs as code. Commit job specs, apply them to a queue, run them on time, never lose one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from queuectl.model.version import VERSION

if TYPE_CHECKING:
    from queuectl.queue import Queue

__version__ = VERSION
__all__ = ["Queue", "__version__"]


def __getattr__(name: str) -> Any:
    """Import the API when it is first asked for, so that the command line starts lean."""
    if name == "Queue":
        from queuectl.queue import Queue  # noqa: PLC0415

        return Queue
    raise AttributeError(f"module 'queuectl' has no attribute {name!r}")
