"""Files and folders that only their owner may read, from the moment they exist."""

from __future__ import annotations

from pathlib import Path


def make_private_folder(path: Path) -> None:
    """Make a folder and what is missing above it, all of it 0700; `mkdir -p` would do so to the last one only."""
    if not path.is_dir():
        make_private_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)


def token_file(database: Path) -> Path:
    """Return where the tokens of a queue's dashboard are kept: `queue.tokens` beside queue.db."""
    return database.with_suffix(".tokens") if database.suffix == ".db" else Path(f"{database}.tokens")
