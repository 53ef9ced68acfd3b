"""Spec files that were read before, recognised by a hash of all that their meaning depends on.

Which is: their bytes and place, the defaults of their folder, the configured time zone, the home folder, the schema
and this queuectl. What depends on more than that is not recognised, and is read again each time.
"""

from __future__ import annotations

import os
import re
from hashlib import sha256
from pathlib import Path

import msgspec

from queuectl.model.spec import JobSpec, LoadedSpec
from queuectl.model.version import VERSION
from queuectl.specs.schema import schema_text

_OTHERS_HOME = re.compile(rb"~\w")


class KnownFile(msgspec.Struct, frozen=True):
    """What a file said when it was last read."""

    digest: str
    specs: tuple[tuple[JobSpec, int], ...]
    """Each with its line."""


class ReadFile(msgspec.Struct, frozen=True):
    """A file that was read, to be known the next time."""

    path: str
    """Absolute."""
    digest: str
    lines: dict[str, int]
    """Of its specs, by name."""


class Digests:
    """The hashes of files, as they are read in one go with the same settings."""

    def __init__(self, zone: str) -> None:
        settings = [VERSION, schema_text(), zone, os.path.expanduser("~")]  # noqa: PTH111  never raises
        self._settings = sha256("\0".join(settings).encode(errors="surrogateescape")).digest()

    def of(self, path: Path, data: bytes, defaults: str) -> str:
        """Return the hash of a file, given that of the defaults that hold for it; empty where there are none."""
        content = sha256(data).digest()
        if _OTHERS_HOME.search(data):
            content = os.urandom(32)  # where that is may change: it is never recognised
        name = os.fsencode(path)
        return sha256(b"\0".join([self._settings, defaults.encode(), name, content])).hexdigest()


def depends_on_bytes_alone(spec: LoadedSpec) -> bool:
    """Whether a spec stays the same as long as its file does: not an instant by the rules of a time zone."""
    return spec.spec.run_at_ms is None
