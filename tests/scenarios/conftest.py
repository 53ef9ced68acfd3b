"""Real `queuectl` processes, as in the other tests that start some."""

from tests.e2e.conftest import queuectl

__all__ = ["queuectl"]
