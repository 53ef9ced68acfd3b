"""SVG: elements whose attributes and texts are escaped."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from markupsafe import Markup, escape


def element(tag: str, *inner: str | Markup, **attributes: object) -> Markup:
    """Return an element. Attributes are written with `_` for `-` and without a `_` at the end; None leaves one out."""
    parts = ["<", tag]
    for name, value in attributes.items():
        if value is not None:
            parts += [" ", _name(name), '="', _text(value), '"']
    parts.append(">")
    parts += [one if isinstance(one, Markup) else escape(one) for one in inner]
    parts += ["</", tag, ">"]
    return Markup("".join(parts))  # noqa: S704  all of it is escaped above


def chart(
    width: int, height: int, label: str, parts: Iterable[Markup], *, kind: str = "chart", role: str = "img"
) -> Markup:
    """Return a whole chart, with what it says for those who don't see it. `role`: "group" where links are in it."""
    return element(
        "svg", *parts, class_=kind, viewBox=f"0 0 {width} {height}", role=role, aria_label=label,
        preserveAspectRatio="xMinYMin meet",
    )  # fmt: skip


def titled(tag: str, title: str, **attributes: object) -> Markup:
    """Return an element that says something when it is pointed at."""
    return element(tag, element("title", title), **attributes)


@cache
def _name(attribute: str) -> str:
    return attribute.rstrip("_").replace("_", "-")


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.1f}".removesuffix(".0")
    return str(value) if isinstance(value, int) else escape(value)
