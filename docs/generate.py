"""Write the generated parts of README.md: what stands between `<!-- NAME: generated -->` and `<!-- end -->`.

python docs/generate.py           write them anew
python docs/generate.py --check   exit 1 when they are not as they would be written
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from queuectl.model.config import KEYS, Config
from queuectl.model.spec import Keep
from queuectl.model.states import FINAL
from queuectl.rules.transitions import TRANSITIONS
from queuectl.rules.units import format_duration, format_size
from queuectl.specs.schema import schema

README = Path(__file__).parent.parent / "README.md"
_BLOCK = re.compile(r"(<!-- (\w+): generated -->\n).*?(<!-- end -->)", re.DOTALL)


def main() -> int:
    """Write or check; return the exit code."""
    before = README.read_text(encoding="utf-8")
    after = _BLOCK.sub(lambda match: f"{match[1]}\n{PARTS[match[2]]()}\n\n{match[3]}", before)
    if "--check" in sys.argv[1:]:
        if before != after:
            sys.stderr.write("README.md is not as the code says: make docs\n")
        return int(before != after)
    README.write_text(after, encoding="utf-8")
    return 0


def states() -> str:
    """Return the state diagram, from the table of transitions."""
    moves: dict[tuple[str, str], list[str]] = {}
    for before, why, to in TRANSITIONS:
        moves.setdefault((before, to), []).append(why)
    lines = [
        f"    {before} --> {to}: {' / '.join(why)}"
        for (before, to), why in moves.items()
        if why != ["cancel"]
    ]
    cancelled = [before for (before, to), why in moves.items() if why == ["cancel"]]
    ends = [f"    {state} --> [*]" for state in sorted(FINAL)]
    diagram = ["```mermaid", "stateDiagram-v2", "    direction LR", *lines, *ends, "```"]
    return "\n".join([*diagram, "", f"`cancel` takes a job from {_words(cancelled)} to `cancelled`."])


def spec() -> str:
    """Return the reference of the spec file, from the schema."""
    fields = schema()["$defs"]["fields"]["properties"]
    return "\n".join(_table(("field", "what it means", "example"), _field_rows(fields)))


def schedule() -> str:
    """Return the reference of the schedule mapping, from the schema."""
    fields = schema()["$defs"]["schedule"]["properties"]
    return "\n".join(_table(("field", "what it means", "example"), _field_rows(fields)))


def config() -> str:
    """Return the configuration keys, from the model."""
    rows = (
        (f"`{name.replace('_', '-')}`", key.meaning, _value(key.kind, getattr(Config(), name)))
        for name, key in KEYS.items()
    )
    return "\n".join(_table(("key", "what it means", "default"), rows))


PARTS: dict[str, Callable[[], str]] = {"states": states, "spec": spec, "schedule": schedule, "config": config}


def _field_rows(fields: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    for name, field in fields.items():
        yield f"`{name}`", field["description"], f"`{_flow(field['examples'][0])}`"


def _flow(value: Any) -> str:
    """Write a value as YAML would in one line."""
    match value:
        case dict():
            return "{" + ", ".join(f"{key}: {_flow(one)}" for key, one in value.items()) + "}"
        case list():
            return "[" + ", ".join(_flow(one) for one in value) + "]"
        case bool():
            return str(value).lower()
        case str() if re.search(r"[*\[\]{}@#:,]", value):
            return msgspec.json.encode(value).decode()
        case _:
            return str(value)


def _value(kind: str, value: object) -> str:
    if value is None:
        return "none" if kind != "path" else ""
    if isinstance(value, Keep):
        return f"`{value.count if value.for_ms is None else format_duration(value.for_ms)}`"
    if isinstance(value, int) and kind.startswith("duration"):
        return f"`{format_duration(value)}`"
    return f"`{format_size(value)}`" if isinstance(value, int) and kind == "size" else f"`{value}`"


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    for row in (head, tuple("---" for _ in head), *rows):
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"


def _words(names: list[str]) -> str:
    quoted = [f"`{name}`" for name in names]
    return f"{', '.join(quoted[:-1])} and {quoted[-1]}"


if __name__ == "__main__":
    sys.exit(main())
