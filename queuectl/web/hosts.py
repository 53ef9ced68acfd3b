"""Hosts: which Host headers are ours. Another name that leads here may be DNS rebinding."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Collection

ALWAYS = frozenset({"localhost"})


def is_ours(host: str, names: Collection[str]) -> bool:
    """Whether a Host header names this machine: by address, as localhost, by its own name, or by one of `names`."""
    name = _without_port(host).rstrip(".").lower()
    return name in ALWAYS or is_address(name) or name == os.uname().nodename.lower() or name in names


def is_address(name: str) -> bool:
    """Whether a name is an IP address. A site can't make one lead elsewhere."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there."""
    if host == "localhost":
        return True
    return is_address(host) and ipaddress.ip_address(host).is_loopback


def _without_port(host: str) -> str:
    """Return the name or address of `name:8080`, `[::1]:8080`."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
