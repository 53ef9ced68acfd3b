"""How fast a worker's clock-work runs in these tests: scaled down, or as in a real queue in a soak."""

from __future__ import annotations

import os

SOAK_MINUTES = float(os.environ.get("SOAK_MINUTES", "0"))
"""How long the torment takes in a soak; 0: this is none."""
HEARTBEAT_S, LEASE_S, KILL_AFTER_S = (5.0, 30.0, 10.0) if SOAK_MINUTES else (0.3, 1.5, 0.5)
SLACK_S = 10.0
"""What a loaded machine may add to a bound."""
FULL_SIZE = bool(SOAK_MINUTES or os.environ.get("FULL_SIZE"))
"""Whether the tests of workflows are as large as promised, which takes minutes."""
