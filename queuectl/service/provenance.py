"""Provenance: which commit the applied files are from, and whether they differ from it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from queuectl.service.sources import checkout_of

_PATIENCE_S = 10


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """Where files come from; None where that isn't known."""

    commit: str | None = None
    dirty: bool | None = None
    """Some of the files are not as they are in the commit, or not in it at all."""


def provenance_of(paths: Sequence[Path]) -> Provenance:
    """Ask git about absolute `paths`. Never fails: without git, or outside of one checkout, nothing is known."""
    checkouts = {checkout_of(path) for path in paths}
    checkout = checkouts.pop() if len(checkouts) == 1 else None
    commit = _git(checkout, "rev-parse", "--verify", "HEAD") if checkout else None
    if checkout is None or not commit:
        return Provenance()
    inside = [f"./{path.relative_to(checkout)}" for path in paths]
    status = _git(checkout, "status", "--porcelain", "--untracked-files=normal", "--", *inside)
    return Provenance(commit=commit.strip(), dirty=None if status is None else bool(status))


def _git(checkout: Path, *arguments: str) -> str | None:
    """Run git, which neither locks nor runs anything of the checkout's own; None where it fails."""
    import subprocess  # noqa: PLC0415  19 ms

    quiet = ["git", "--no-optional-locks", "--literal-pathspecs", "-c", "core.fsmonitor=false"]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            [*quiet, *arguments],
            cwd=checkout,
            env={**environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace") if done.returncode == 0 else None
