"""Every file in `bad/` is refused with exactly the message in the `.txt` beside it.

To write the messages anew after a change, and then to read the difference:

    UPDATE_GOLDEN=1 pytest tests/specs/test_bad_specs.py && git diff tests/specs/bad
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from queuectl.model.errors import InvalidSpecError
from queuectl.specs.files import SUFFIXES
from queuectl.specs.load import load

BAD = sorted(path for path in (Path(__file__).parent / "bad").iterdir() if path.suffix in SUFFIXES)


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.name)
def test_message(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent.parent)
    with pytest.raises(InvalidSpecError) as refused:
        load([Path("bad", path.name)], default_zone="UTC")

    expected = path.with_name(path.name + ".txt")
    message = f"{refused.value}\n"
    if "UPDATE_GOLDEN" in os.environ:
        expected.write_text(message, encoding="utf-8")
    assert message == expected.read_text(encoding="utf-8")


def test_no_message_is_left_over() -> None:
    messages = {path.name for path in (Path(__file__).parent / "bad").glob("*.txt")}

    assert messages == {path.name + ".txt" for path in BAD}
