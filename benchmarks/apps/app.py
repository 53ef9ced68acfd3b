"""What an app gives to the driver. Standard library only."""

from collections.abc import Callable

Enqueue = Callable[[str], object]
"""Puts a shell command in the queue."""
