"""`python -m queuectl`."""

from __future__ import annotations

from queuectl.cli.main import main

main()
