"""SVG: elements whose attributes and texts are escaped."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup, escape


def element(tag: str, *inner: str | Markup, **attributes: object) -> Markup:
    """Return an element. Attributes are written with `_` for `-` and without a `_` at the end; None leaves one out."""
    given = Markup("").join(
        Markup(' {}="{}"').format(name.rstrip("_").replace("_", "-"), _number(value))
        for name, value in attributes.items()
        if value is not None
    )
    return Markup("<{0}{1}>{2}</{0}>").format(tag, given, Markup("").join(map(escape, inner)))


def chart(width: int, height: int, label: str, parts: Iterable[Markup], *, kind: str = "chart") -> Markup:
    """Return a whole chart, with what it says for those who don't see it."""
    return element(
        "svg", *parts, class_=kind, viewBox=f"0 0 {width} {height}", role="img", aria_label=label,
        preserveAspectRatio="xMinYMin meet",
    )  # fmt: skip


def titled(tag: str, title: str, **attributes: object) -> Markup:
    """Return an element that says something when it is pointed at."""
    return element(tag, element("title", title), **attributes)


def _number(value: object) -> object:
    return f"{value:.1f}".rstrip("0").rstrip(".") if isinstance(value, float) else value
