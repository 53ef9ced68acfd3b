"""JSON on stdout, for programs. The shapes are `service.views`; times are ISO 8601 UTC."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import click

from queuectl.cli.visible import json_safe

Output = Literal["table", "json", "jsonl"]


def print_object(value: Mapping[str, Any], output: Output) -> None:
    """Print one object: over several lines as `json`, on one as `jsonl`."""
    click.echo(json_safe(json.dumps(value, ensure_ascii=False, indent=None if output == "jsonl" else 2)))


def print_array(rows: Iterable[Mapping[str, Any]], output: Output) -> None:
    """Print an array: as `json`, or an object a line as `jsonl`."""
    if output == "jsonl":
        for row in rows:
            print_object(row, output)
        return
    click.echo(json_safe(json.dumps(list(rows), ensure_ascii=False, indent=2)))
