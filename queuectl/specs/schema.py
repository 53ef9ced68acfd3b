"""The JSON Schema of spec files: the one source for what a spec may say, for editors and for validation."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from queuectl.model.errors import QueuectlError

FILE_NAME = "job.schema.json"


@cache
def schema_text() -> str:
    """The schema as it was written: beside this module in a wheel, in `schemas/` in a checkout."""
    here = Path(__file__).resolve()
    for path in (here.with_name(FILE_NAME), here.parents[2] / "schemas" / FILE_NAME):
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise QueuectlError(f"{FILE_NAME} is missing from this installation; install queuectl again")


@cache
def schema() -> dict[str, Any]:
    """The schema as data. It is shared: don't change it."""
    value: dict[str, Any] = json.loads(schema_text())
    return value


def job_fields() -> dict[str, Any]:
    """The schema of each field of a job, by name."""
    fields: dict[str, Any] = schema()["$defs"]["fields"]["properties"]
    return fields
