"""The nearest word that exists, for "did you mean"."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate that looks most like `word`, or None when none comes near.

    Case, `-` and `_` make no difference.
    """
    from difflib import get_close_matches  # noqa: PLC0415  only needed after a mistake

    plain = {_plain(candidate): candidate for candidate in candidates}
    found = get_close_matches(_plain(word), plain, n=1, cutoff=0.6)
    return plain[found[0]] if found else None


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """`", did you mean 'x'?"`, or nothing: to be put behind a message that names `word`."""
    found = nearest(word, candidates)
    return f", did you mean '{found}'?" if found else ""


def _plain(word: str) -> str:
    return word.casefold().replace("-", "_")
