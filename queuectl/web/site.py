"""A dashboard: which queue it shows, and who may ask it for what."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import msgspec

from queuectl.web.tokens import Tokens


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """What every request is answered from."""

    database: Path
    tokens: Tokens | None
    """None: anybody who can reach it may do everything."""
    hosts: Collection[str] = ()
    """Names under which it may be asked for, besides localhost and addresses."""
    base_path: str = ""
    """Where a reverse proxy shows it: `/queue`, without a slash at the end."""
    overrides: Mapping[str, str] = {}
    environ: Mapping[str, str] | None = None
    seconds: Callable[[], float] = time.time
    """The wall clock."""
