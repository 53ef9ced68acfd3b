"""Every file in `odd/` is accepted: each broke something once. That apply and show bear them too, `make fuzz` sees."""

from __future__ import annotations

from pathlib import Path

import pytest

from queuectl.specs.load import load

ODD = sorted((Path(__file__).parent / "odd").iterdir())


@pytest.mark.parametrize("path", ODD, ids=lambda path: path.name)
def test_accepted(path: Path) -> None:
    assert load([path], default_zone="UTC").specs


def test_pairs_of_surrogates_are_characters_wherever_they_stand() -> None:
    (loaded,) = load([Path(__file__).parent / "odd" / "pairs_of_surrogates.json"], default_zone="UTC").specs

    assert loaded.spec.description == "😀😁 \\ud83d\\ude00"
