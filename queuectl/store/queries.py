"""Named SQL: every statement that the store runs stands in `sql/*.sql` under `-- name: …`."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_SQL = Path(__file__).parent / "sql"
_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


@cache
def queries() -> dict[str, str]:
    """Return all statements by name."""
    found: dict[str, str] = {}
    for file in sorted(file for file in _SQL.iterdir() if file.suffix == ".sql"):
        _, *parts = _NAME.split(file.read_text(encoding="utf-8"))
        for name, text in zip(parts[::2], parts[1::2], strict=True):
            if name in found:
                raise ValueError(f"{file.name}: a statement named {name} exists already")
            found[name] = text.strip().removesuffix(";")
    return found
