"""Specs that are legal but probably not meant: warnings, in words for people."""

from __future__ import annotations

import re
from collections.abc import Iterator

from queuectl.model.spec import JobSpec, schedule_zone
from queuectl.model.states import Overlap
from queuectl.rules.instants import format_instant, format_local
from queuectl.rules.units import format_duration

YEAR_MS = 366 * 86_400_000

_NO_CODE = re.compile(r"""\\.|'[^']*'|"(?:\\.|[^"\\])*"|(?<![^\s;&|()])\#[^\n]*""", re.DOTALL)
_PIPE = re.compile(r"(?<![|>])\|(?!\|)")


def warnings(spec: JobSpec, *, file: str, now_ms: int, zone: str, cwd_exists: bool) -> list[str]:
    """One line for each thing in the spec that was probably not meant; none for most specs.

    `zone` is the configured time zone; `cwd_exists` says whether the spec's working directory is there now.
    """
    zone = schedule_zone(spec, zone)
    found = [
        *_pipe(spec),
        *_cwd(spec, exists=cwd_exists),
        *_past(spec, now_ms),
        *_gap(spec, now_ms, zone),
        *_interval(spec, now_ms, zone),
    ]
    return [f"{file}: {spec.name}: {text}" for text in found]


def has_pipe(command: str) -> bool:
    """Whether a shell command has a pipe outside of quotes and comments; `||` is none."""
    return _PIPE.search(_NO_CODE.sub("_", command)) is not None


def _pipe(spec: JobSpec) -> Iterator[str]:
    if not isinstance(spec.command, str) or not has_pipe(spec.command):
        return
    if not any("pipefail" in text for text in (*spec.shell, spec.command)):
        yield "only the exit code of the pipe's last command counts; with shell: bash any failure does"


def _cwd(spec: JobSpec, *, exists: bool) -> Iterator[str]:
    if not exists:
        yield f"the working directory {spec.cwd} is not there yet; attempts fail until it is"


def _past(spec: JobSpec, now_ms: int) -> Iterator[str]:
    if spec.run_at_ms is not None and spec.run_at_ms < now_ms:
        yield f"run_at {format_instant(spec.run_at_ms)} is in the past; it runs at once"


def _gap(spec: JobSpec, now_ms: int, zone: str) -> Iterator[str]:
    if spec.schedule is None:
        return
    from queuectl.rules.schedule import gap_fires  # noqa: PLC0415  croniter takes 70 ms

    moved = gap_fires(spec.schedule, zone, now_ms, now_ms + YEAR_MS)
    if moved:
        at = format_local(moved[0], zone)
        yield f"the clocks in {zone} skip its time when they go forward; it runs right after, at {at}"


def _interval(spec: JobSpec, now_ms: int, zone: str) -> Iterator[str]:
    """An attempt that outlasts the interval; `allow` is a decision to have it so."""
    if (
        spec.schedule is None
        or not isinstance(spec.timeout_ms, int)
        or spec.schedule.overlap is Overlap.ALLOW
    ):
        return
    from queuectl.rules.schedule import least_interval_ms, shortest_interval_ms  # noqa: PLC0415

    if spec.timeout_ms <= least_interval_ms(
        spec.schedule
    ):  # a search through all fires takes a hundred times as long
        return
    shortest = shortest_interval_ms(spec.schedule, zone=zone, after_ms=now_ms)
    if shortest is not None and spec.timeout_ms > shortest:
        timeout, interval = format_duration(spec.timeout_ms), format_duration(shortest)
        meant = {Overlap.SKIP: "skips", Overlap.QUEUE: "delays", Overlap.REPLACE: "is replaced by"}
        effect = meant[spec.schedule.overlap]
        yield f"its timeout of {timeout} is longer than the {interval} between fires; a slow attempt {effect} the next"
