"""Text from jobs and files on a terminal: control characters are shown, not obeyed."""

from __future__ import annotations

from queuectl.rules.visible import json_safe, visible

__all__ = ["json_safe", "visible"]
