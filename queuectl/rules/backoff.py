"""How long a failed job waits before it is tried again."""

from __future__ import annotations

import math


def delay_ms(retry: int, *, base_ms: int, factor: float, max_ms: int, jitter: float, random: float) -> int:
    """Return the delay before retry number `retry` (1, 2, …): `base × factor^(retry−1)`, at most `max_ms`.

    `random` in [0, 1) moves it by up to `jitter` of itself, both ways, never past `max_ms`. The exponent is
    clamped before the power is taken, so that no number of retries overflows it.
    """
    if base_ms >= max_ms:
        delay = float(max_ms)
    elif factor <= 1 or base_ms <= 0:
        delay = float(base_ms)
    else:
        enough = math.log(max_ms / base_ms, factor)
        delay = min(float(max_ms), base_ms * factor ** min(retry - 1, enough))
    return round(min(float(max_ms), delay * (1 + jitter * (2 * random - 1))))
