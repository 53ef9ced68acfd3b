"""Hostile spec files, for hypothesis: good ones with something wrong done to them, odd structures, and noise."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import strategies as st

from queuectl.specs.files import MAX_BYTES, SUFFIXES
from queuectl.specs.schema import job_fields

ROOT = Path(__file__).parents[2]
SEEDS = ("jobs.d", "examples", "tests/specs/bad", "tests/specs/odd")


class File(NamedTuple):
    """A spec file."""

    suffix: str
    data: bytes


def files() -> st.SearchStrategy[File]:
    """Give all kinds of them."""
    return st.one_of(mutants(), jobs().map(_as_yaml), jobs().map(_as_json), structures(), noise())


@cache
def seeds() -> list[File]:
    """Return the spec files of the project, good and bad."""
    found = [
        path for folder in SEEDS for path in sorted((ROOT / folder).rglob("*")) if path.suffix in SUFFIXES
    ]
    return [File(path.suffix, path.read_bytes()) for path in found]


@st.composite
def mutants(draw: st.DrawFn) -> File:
    """Give a file of the project that something was done to, a few times."""
    suffix, data = draw(st.sampled_from(seeds()))
    for _ in range(draw(st.integers(1, 6))):
        data = _mutated(draw, data)
    return File(draw(st.sampled_from([suffix, suffix, ".yaml", ".json"])), data)


def noise() -> st.SearchStrategy[File]:
    """Give bytes and characters, half of them behind a good beginning."""
    start = st.sampled_from(
        [b"", b"command: x\n", b'{"command": "x", ', b"command: x\nenv: {", b"\xef\xbb\xbf", b"%"]
    )
    rest = (
        st.binary(max_size=300)
        | st.text(max_size=200).map(_encoded)
        | st.lists(_TOKENS, max_size=40).map(_joined)
    )
    return st.builds(lambda a, b, suffix: File(suffix, a + b), start, rest, _SUFFIX)


def structures() -> st.SearchStrategy[File]:
    """Give lines of keys and values with anchors, aliases, tags, merges and deep nests in them."""
    line = st.tuples(_KEYS, _nodes()).map(": ".join)
    return st.lists(line, min_size=1, max_size=8).map(
        lambda lines: File(".yaml", _encoded("\n".join(lines) + "\n"))
    )


def jobs() -> st.SearchStrategy[str]:
    """Give one job, or several, in flow style: mostly with values that might do, so that many are accepted."""
    one = _job()
    named = st.dictionaries(_NAMES, one, min_size=1, max_size=4)
    several = st.tuples(named, st.none() | _fields(frozenset({"name", "command"}))).map(
        lambda drawn: _flow({"jobs": _flow(drawn[0]), **({"defaults": drawn[1]} if drawn[1] else {})})
    )
    return one | one | several


_PLAIN = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=1, max_size=20)
_TEXT = _PLAIN | _PLAIN | _PLAIN | st.text(max_size=30)
_SUFFIX = st.sampled_from([".yaml", ".yml", ".json"])
_ODD = [
    "", "~", "null", "yes", "no", "on", "true", "FALSE", "12:30", "010", "0o17", "0x1F", "1_000", "1e3", "1.10", "-0",
    "+1", ".5", "5.", "1e400", ".nan", "-.inf", "9" * 99, "9" * 101, "0." + "0" * 200 + "1", "18446744073709551616",
    "9223372036854775808", "1e308", "1e-400", "2026-02-30", "2026-02-28", "1969-12-31", "9999-12-31T23:59:59Z",
    "*x", "&x", "&x 1", "!x", "!!binary eA==", "!<tag:yaml.org,2002:str> x", "%x", "@x", "`x", "|", ">-", "? x", "- x",
    "[", "]", "{", "}", "<<", "<<: *x", "# x", "x # y", "x: y", "'", '"', "''", "'it''s'", '"\\0"', '"\\ud800"',
    '"\\ud83d\\ude00"', '"\\U0001F600"', '"\\e[2J"', '"\\x85"', '"\\u2028"', '"\\u202e"', '"\\/"', '"a\\\n b"',
    "\t", "\u00e9", "e\u0301", "\U0001f600", "\u200b", "\ufeff", "\x7f", "---", "...", "--- x", "<<<<<<< HEAD",
    "none", "0", "-1", "1", "0s", "1ms", "1h30m", "1.5h", "100w", "5217w", "1s1s", "64KiB", "1EiB", "1B", "0B",
    "* * * * *", "'*/5 * * * *'", "@daily", "'@daily'", "0 0 30 2 *", "0 0 29 2 *", "'0 0 29 2 */7'", "0 0 31 4-11/2 *",
    "~/x", "~nobody-here", "../..", "/", ".", "/proc/self/fd/0", "x" * 300, "'" + "y/" * 3000 + "'",
    "UTC", "Europe/Berlin", "Europe/Berln", "Europe", "../UTC", "/etc/passwd", "America/Santiago", "posixrules",
    "QUEUECTL_DB", "A=B", "PATH", "from_env", "$(id)", "a | b", "a \\", "#", "''''", "\"\\'\"",
]  # fmt: skip
_TOKENS = st.sampled_from(
    [
        *_ODD,
        ": ",
        ":",
        ",",
        "\n",
        "\r",
        "\r\n",
        "\n  ",
        "\n- ",
        "\n? ",
        " ",
        "{",
        "}",
        "[",
        "]",
        "&a ",
        "*a",
        "!!str ",
    ]
).map(lambda token: token.encode("utf-8", "surrogatepass"))
_CRON = st.lists(
    st.sampled_from(
        ["*", "0", "5", "59", "*/7", "1-5", "1,2", "29", "31", "2", "jan", "sun", "5-1", "7", "60", "1/2"]
    ),
    min_size=5,
    max_size=5,
).map(" ".join)
_DURATION = st.builds(
    lambda number, unit: f"{number}{unit}",
    st.integers(0, 40_000) | st.decimals(0, 100, places=2),
    st.sampled_from(["", "ms", "s", "m", "h", "d", "w"]),
)
_NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,9}", fullmatch=True) | st.sampled_from(
    ["x", "x-y", "a.b", "env"]
)
_KEYS = st.sampled_from(
    [*job_fields(), "jobs", "defaults", "<<", "x-a", "x-", "from_env", "cron", "every"]
) | (st.sampled_from(_ODD).filter(lambda text: "\n" not in text))


def _quoted(text: str) -> str:
    """Write a text as JSON does, which YAML reads as well."""
    import json

    return json.dumps(text, ensure_ascii=False)


def _list(items: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(items, max_size=4).map(lambda drawn: f"[{', '.join(drawn)}]")


def _mapping(**values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.fixed_dictionaries({}, optional=values).filter(len).map(_flow)


def _flow(values: dict[str, str]) -> str:
    return "{" + ", ".join(f"{_quoted(key)}: {value}" for key, value in values.items()) + "}"


_WORDS = _TEXT.map(_quoted)
_CODES = _list(st.sampled_from(["0", "1", "75", "255", '"64-78"', '"0-255"', '"9-1"', "256"]))
_SPAN = _DURATION.map(_quoted) | st.sampled_from(["0", "1", "0.001", "90", '"0s"'])
_ZONE = st.sampled_from(
    ['"UTC"', '"Europe/Berlin"', '"Australia/Lord_Howe"', '"America/Santiago"', '"Asia/Kathmandu"']
)
_CRONS = _CRON.map(_quoted) | st.sampled_from(
    ['"@daily"', '"@yearly"', '"0 2 * * *"', '"30 2 * * *"', '"0 0 29 2 *"']
)
_ENV_VALUE = _WORDS | st.sampled_from(
    ["1.10", "true", "0x1F", '{"from_env": "A"}', '{"from_file": "a/b"}', "1e5"]
)
_SIZES = st.sampled_from(['"64KiB"', "1", '"1.5GiB"', "1152921504606846977", '"0B"', '"1TB"'])
_SCHEMA = _mapping(
    type=st.sampled_from(['"string"', '"integer"', '"object"', "1"]),
    default=_WORDS | st.sampled_from(["1", "null", "[]"]),
    pattern=_WORDS,
    enum=_list(_WORDS),
    minimum=st.integers(-1, 1 << 70).map(str),
)
_HOOK = _WORDS | _mapping(
    command=_WORDS,
    webhook=st.sampled_from(['"https://h/x"', '"ftp://h"', '"https://u:p@h"', '{"from_env": "A"}']),
    secret=_WORDS,
)
_VALUES: dict[str, st.SearchStrategy[str]] = {
    "name": _NAMES.map(_quoted),
    "description": _WORDS,
    "owner": _WORDS,
    "labels": st.dictionaries(_NAMES, _WORDS | st.sampled_from(["1", "1.10", "true"]), max_size=3).map(_flow),
    "command": _WORDS.map(lambda text: f'"echo {text[1:]}')
    | _list(_WORDS).map(lambda items: f'["true", {items[1:]}')
    | st.sampled_from(['"true"', '["true"]', '"a | b"']),
    "shell": st.sampled_from(['"bash"', '"sh"', '["/bin/zsh", "-c"]']),
    "cwd": _WORDS | st.sampled_from(['"~"', '".."', '"/"', '"./~x"']),
    "env": st.dictionaries(_TEXT, _ENV_VALUE, max_size=3).map(_flow),
    "env_file": _WORDS | _list(_WORDS),
    "schedule": _CRONS
    | _mapping(
        cron=_CRONS | _list(_CRONS),
        timezone=_ZONE,
        jitter=_SPAN,
        catch_up=st.sampled_from(['"none"', '"latest"', '"all"']),
        spacing=_SPAN,
        overlap=st.sampled_from(['"skip"', '"queue"', '"replace"', '"allow"']),
        start_within=_SPAN,
    )
    | _mapping(every=_SPAN, jitter=_SPAN, start_within=_SPAN),
    "run_at": (
        st.datetimes(datetime(1970, 1, 2)).map(lambda at: _quoted(at.isoformat()))  # noqa: DTZ001  the zone is another field
        | st.sampled_from(['"2030-01-01"'])
    ),
    "timezone": _ZONE,
    "queue": _NAMES.map(_quoted),
    "priority": st.integers(-1001, 1001).map(str),
    "retries": st.integers(0, 1001).map(str),
    "backoff": _mapping(
        base=_SPAN,
        factor=st.sampled_from(["1", "2", "1.5", "1000", "0.9"]),
        max=_SPAN,
        jitter=st.sampled_from(["0", "0.1", "1", "1.1"]),
    ),
    "timeout": _SPAN | st.just('"none"'),
    "kill_after": _SPAN,
    "exit_codes": _mapping(success=_CODES, dead=_CODES, snooze=_CODES, snooze_for=_SPAN),
    "max_log": _SIZES,
    "keep": _mapping(completed=_SPAN, dead=st.integers(0, 1 << 70).map(str), cancelled=_SPAN),
    "paused": st.sampled_from(["true", "false"]),
    "needs": _list(
        _NAMES.map(_quoted) | _mapping(job=_WORDS, on=st.sampled_from(['"dead"', '"finished"', '"never"']))
    ),
    "concurrency": _mapping(
        key=_WORDS | st.sampled_from(['"${A}"', '"${"', '"a-${HOME}-${}"']),
        limit=st.integers(-1, 1 << 40).map(str),
        on_conflict=st.sampled_from(['"wait"', '"skip"', '"replace"', '"queue"']),
    ),
    "rate": st.sampled_from(['"10/m"', '"5/s"', '"0/s"', '"1/y"', '"99999999/s"', "10"]),
    "limits": _mapping(
        memory=_SIZES,
        cpu_time=_SPAN,
        open_files=st.integers(-1, 1 << 70).map(str),
        nice=_WORDS | st.integers(-21, 20).map(str),
    ),
    "user": _NAMES.map(_quoted),
    "params": _mapping(A=_SCHEMA, B=_SCHEMA),
    "on_success": _HOOK,
    "on_failure": _HOOK | _list(_HOOK),
    "on_dead": _HOOK,
}
assert _VALUES.keys() == job_fields().keys()


def _fields(without: frozenset[str] = frozenset()) -> st.SearchStrategy[str]:
    """Give some fields of a job, now and then an odd value among them."""
    values = {field: _mostly(value) for field, value in _VALUES.items() if field not in without}
    return st.sets(st.sampled_from(sorted(values)), max_size=5).flatmap(
        lambda chosen: st.fixed_dictionaries({field: values[field] for field in sorted(chosen)}).map(_flow)
    )


def _mostly(value: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    odd = st.sampled_from(_ODD).map(_quoted)
    return st.integers(0, 19).flatmap(lambda die: value if die else odd)


def _job() -> st.SearchStrategy[str]:
    return st.tuples(_fields(frozenset({"command"})), _VALUES["command"]).map(
        lambda drawn: drawn[0][:-1] + (", " if drawn[0] != "{}" else "") + f'"command": {drawn[1]}}}'
    )


def _nodes() -> st.SearchStrategy[str]:
    prefix = st.sampled_from(["&a ", "&b ", "!!str ", "!x ", "!!map ", "? ", "- "])
    leaves = st.sampled_from(_ODD) | _WORDS | st.sampled_from(["*a", "*b", "1", "x"])

    def around(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        pair = st.tuples(_KEYS, inner).map(": ".join)
        return st.one_of(
            st.lists(inner, max_size=4).map(lambda items: f"[{', '.join(items)}]"),
            st.lists(pair, max_size=4).map(lambda pairs: "{" + ", ".join(pairs) + "}"),
            st.tuples(prefix, inner).map("".join),
            st.tuples(inner, st.integers(15, 30)).map(
                lambda drawn: "[" * drawn[1] + drawn[0] + "]" * drawn[1]
            ),
        )

    return st.recursive(leaves, around, max_leaves=12)


def _as_yaml(text: str) -> File:
    return File(".yaml", _encoded(text))


def _as_json(text: str) -> File:
    return File(".json", _encoded(text))


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _joined(parts: list[bytes]) -> bytes:
    return b"".join(parts)


def _mutated(draw: Any, data: bytes) -> bytes:
    """Do one thing to a file; what grows too large is cut."""
    at = draw(st.integers(0, len(data)))
    end = min(len(data), at + draw(st.integers(0, 40)))
    before, part, after = data[:at], data[at:end], data[end:]
    match draw(st.integers(0, 8)):
        case 0:
            data = before + after
        case 1:
            data = before + part * draw(st.sampled_from([2, 3, 10, 1000, 100_000])) + after
        case 2 | 3:
            data = before + draw(_TOKENS) + (after if draw(st.booleans()) else part + after)
        case 4:
            data = before + draw(st.binary(max_size=4)) + after
        case 5:
            data = before
        case 6:
            other = draw(st.sampled_from(seeds())).data
            cut = draw(st.integers(0, len(other)))
            data = before + other[cut : cut + 400] + after
        case 7:
            lines = data.splitlines(keepends=True)
            data = b"".join(draw(st.permutations(lines[:40])) + lines[40:])
        case _:
            data = before + after + b"\n" + part
    return data[:MAX_BYTES]
