"""The rules of time zones: whether they are there, and know the zones that specs name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from zoneinfo import TZPATH

from queuectl.model.spec import schedule_zone
from queuectl.rules.zones import zone_named
from queuectl.service.context import Context
from queuectl.service.doctor.finding import Finding, ok, problem, some, warning

A_ZONE = "Europe/Berlin"
OLD_YEARS = 2
"""Rules that are so much older than the package's have missed a change somewhere."""


def check(ctx: Context) -> Iterator[Finding]:
    """See which rules are in force, and that every zone that is named is among them."""
    system, package = _system_version(), _package_version()
    found = [*_data(system, package), *_unknown(ctx), *_of_environment(ctx.environ.get("TZ", ""))]
    yield from found or [ok("zones", _summary(system, package))]


def _data(system: str | None, package: str | None) -> Iterator[Finding]:
    try:
        zone_named(A_ZONE)
    except ValueError:
        yield problem("zones", "no rules of time zones are on this machine", "pip install --upgrade tzdata")
        return
    if system and package and _year(system) + OLD_YEARS <= _year(package):
        text = f"the system's rules of time zones are those of {system}, which come before the package's ({package})"
        advice = "update the system's (Debian: apt install tzdata), or set PYTHONTZPATH= to use the package's"
        yield warning("zones", text, advice)


def _unknown(ctx: Context) -> Iterator[Finding]:
    named: dict[str, list[str]] = {}
    for stored in ctx.store.specs.list():
        named.setdefault(schedule_zone(stored.spec, ctx.config.timezone), []).append(stored.name)
    for zone, names in named.items():
        if not _is_known(zone):
            text = f"{zone}, the time zone of {some(names)}, is not known here"
            advice = "update the rules: pip install --upgrade tzdata; or name another zone and apply"
            yield problem("zones", text, advice)


def _of_environment(name: str) -> Iterable[Finding]:
    if re.fullmatch(r"[A-Za-z_]+(/[A-Za-z_]+)*", name) and not _is_known(name):
        text = f"TZ={name} is no time zone: times that are shown as local ones are UTC"
        advice = "set TZ to an IANA name such as Europe/Berlin, or unset it; schedules don't use it"
        yield warning("zones", text, advice)


def _is_known(zone: str) -> bool:
    try:
        zone_named(zone)
    except ValueError:
        return False
    return True


def _summary(system: str | None, package: str | None) -> str:
    if system is None:
        return f"the rules of {package}, from the package tzdata"
    return f"the rules of {system}, the system's" + (f" (the package has {package})" if package else "")


def _system_version() -> str | None:
    """Return the version of the rules that come before the package's: `2025b`; None when there are none."""
    for folder in map(Path, TZPATH):
        for name, pattern in (("tzdata.zi", r"# version (\S+)"), ("+VERSION", r"(\S+)")):
            try:
                with (folder / name).open(encoding="utf-8") as file:
                    found = re.match(pattern, file.readline())
            except (OSError, UnicodeDecodeError):
                continue
            if found:
                return found[1]
        if (folder / A_ZONE).exists():
            return "an unknown version"
    return None


def _package_version() -> str | None:
    try:
        return metadata.version("tzdata")
    except metadata.PackageNotFoundError:
        return None


def _year(version: str) -> int:
    return int(version[:4]) if version[:4].isdecimal() else 9999
