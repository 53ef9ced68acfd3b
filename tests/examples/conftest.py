"""Examples run as real processes, too."""

from tests.e2e.conftest import queuectl

__all__ = ["queuectl"]
