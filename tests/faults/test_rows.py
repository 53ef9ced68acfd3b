"""The catalogue and the suite agree."""

from __future__ import annotations

import re
from pathlib import Path

from tests.faults.rows import ROWS


def test_every_row_has_a_test() -> None:
    tests = "\n".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    named = {row.upper() for row in re.findall(r"def test_([a-j]\d\d)_", tests)}
    assert named == set(ROWS)
