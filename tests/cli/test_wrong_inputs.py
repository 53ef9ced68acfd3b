"""Wrong input of ten kinds and more for every command: one clear line, the right exit code, nothing changed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from queuectl.cli.lazy import LazyGroup
from tests.cli.conftest import Cli, Result
from tests.cli.test_help import ALL

DIGITS = "9" * 400
NUMBERS = ["-5", "x", "", "1.5", DIGITS, "1e3", "0x10", "nan", "1 2", "²"]
DURATIONS = ["-1s", "x", "", "1e999", f"{DIGITS}h", "nan", "1 fortnight", "5s5s", "\x1b[2J", "1,5s"]
INSTANTS = [
    "x", "", "2026-02-30", "2026-13-01T00:00:00Z", "25:00", DIGITS, "2026-01-01T00:00:00+25:00", "nan", "-",
    "99999-01-01",
]  # fmt: skip
UNKNOWN = ["nope", "", "0", "99", DIGITS, "x" * 5_000, "ü", "a b", "1.5", "\x1b[2J"]
"""What is no id or name of anything; a path, where one is wanted, that leads nowhere."""
FACTORS = ["x", "0.5", "nan", "-1", "", DIGITS]
VALUES = {
    "limit": NUMBERS, "retries": NUMBERS, "slots": NUMBERS, "processes": NUMBERS, "attempt": [*NUMBERS[:4], "0"],
    "tail": NUMBERS[:4],
    "count": NUMBERS, "priority": [*NUMBERS[1:], "-1001"], "timeout": DURATIONS, "delay": DURATIONS,
    "older_than": DURATIONS, "stop_grace": DURATIONS, "poll_interval": [*DURATIONS, "0s"], "backoff_base": DURATIONS,
    "backoff_factor": FACTORS, "run_at": INSTANTS, "since": INSTANTS, "start": INSTANTS, "env": ["x", "", "=x", "="],
    "labels": ["x", "", "=x", "="], "states": ["x", "dead,x", DIGITS], "output": ["xml", "", "JSON"],
    "log_format": ["xml", ""], "log_level": ["loud", "\x1b[2J"], "cwd": ["/nowhere/at/all", "/dev/null"],
    "file": ["/nowhere", "/"], "key": ["", "x" * 201, "a\nb", "\x1b[2J"], "max_retries": [*NUMBERS, "1001"],
    "backoff_max": DURATIONS, "backoff_jitter": ["x", "-1", "1.1", "nan", ""], "default_timeout": DURATIONS,
    "kill_after": [*DURATIONS], "timezone": ["x", "", "Europe/Berln", "../../etc/passwd", DIGITS, "\x1b[2J"],
    "heartbeat": [*DURATIONS, "20s"], "lease": [*DURATIONS, "0s"], "max_log": ["x", "", "-1", "nan", "1XB", DIGITS],
    "keep_completed": ["x", "", "-1", DIGITS], "keep_dead": ["x", "-1"], "keep_cancelled": ["x"], "keep_fires": ["x"],
    "at": INSTANTS, "end": INSTANTS, "arguments": ["x", "", "=x", "="], "spacing": DURATIONS,
    "rate": ["x", "", "0/s", "10", "10/y", f"{DIGITS}/s", "-1/s"], "running": [*NUMBERS, "0"],
    "on_dead": ["", " ", "https://user:secret@h/x", "x\0y"],
    "dashboard": ["", "x", "65536", "-1", "h:", "1.2.3.4:x", DIGITS, "²"], "port": [*NUMBERS, "65536"],
    "host": ["", "256.1.1.1", "no such host", DIGITS, "\0"], "base_path": ["queue", "x/y"], "fd": NUMBERS,
    "durability": ["some", ""], "log_dir": ["", "~nobody-so-named/x"], "log_file": ["~nobody-so-named/x"],
}  # fmt: skip
"""What can't be the value of an option, by its name."""
FREE_TEXT = {"reason", "text", "source", "spec", "queue", "queues", "specs", "needs", "hosts"}
"""Options that take any text, or that are told apart below."""
TAKES_ANYTHING = {("enqueue",), ("backup",), ("config", "set")}
"""Commands whose arguments are no ids."""
NAMES_A_QUEUE = {("queue", "pause")}
"""That may be one which comes later."""

COMMANDS = {path: command for path, command in ALL.items() if not isinstance(command, LazyGroup)}
every_command = pytest.mark.parametrize("path", COMMANDS, ids=" ".join)


def options(command: click.Command) -> Iterator[click.Option]:
    return (param for param in command.params if isinstance(param, click.Option))


def arguments(command: click.Command) -> list[click.Argument]:
    return [param for param in command.params if isinstance(param, click.Argument)]


def filled(command: click.Command) -> list[str]:
    """Words for the arguments that have to be there."""
    return ["x" for argument in arguments(command) if argument.required]


def check(result: Result, words: object, *codes: int) -> None:
    assert result.code in codes, (words, result)
    assert result.out == "", words
    assert result.err.startswith("queuectl: "), (words, result.err)
    assert result.err.count("\n") == 1, (words, result.err)
    assert len(result.err) < 1_000, words
    assert not {"\x1b", "\x07"} & set(result.err), words
    assert "unexpected " not in result.err.replace("unexpected extra argument", ""), (words, result.err)


@every_command
def test_what_the_command_line_can_not_be(cli: Cli, tmp_path: Path, path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    lines: list[list[str]] = [["--nope"], ["--helq"], ["-Z"], ["\udcff"], ["--db", "", *filled(command)]]
    if filled(command):
        lines.append([])
    if all(argument.nargs == 1 for argument in arguments(command)):
        lines.append(["a", "b", "c"])
    for option in options(command):
        if not option.is_flag:
            lines.append([option.opts[0]])
            lines.append([*filled(command), f"{option.opts[0]}=\udcff"])
        else:
            lines.append([f"{option.opts[0]}=yes"])
    for words in lines:
        check(cli(*path, *words), words, 2)
    assert list(tmp_path.iterdir()) == []


@every_command
def test_values_that_options_can_not_have(cli: Cli, tmp_path: Path, path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    for option in options(command):
        if option.is_flag or option.name in FREE_TEXT or "--db" in option.opts:
            continue
        assert option.name in VALUES, f"{path}: say which values {option.name} can't have"
        more = ["true"] if path == ("enqueue",) and option.name not in {"file"} else filled(command)
        more += ["--yes"] if any("--yes" in each.opts for each in options(command)) else []
        more += ["--until-idle"] if any("--until-idle" in each.opts for each in options(command)) else []
        for value in VALUES[option.name or ""]:
            words = [f"{max(option.opts, key=len)}={value}", *more]
            check(cli(*path, *words), words, 2)
    assert list(tmp_path.iterdir()) == []


@every_command
def test_what_is_not_there(cli: Cli, ran: Path, path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    if not arguments(command) or path in TAKES_ANYTHING | NAMES_A_QUEUE:
        return
    more = ["--yes"] if any("--yes" in option.opts for option in options(command)) else []
    more += ["--until-idle"] if path == ("run",) else []
    before = (ran / "queue.db").read_bytes()
    for text in UNKNOWN:
        result = cli(*path, text, *more)
        if arguments(command)[0].name == "paths":
            assert (result.code, result.out) == (3 if text else 2, ""), (text, result)
            assert re.search("no such file or folder|too long|expected a path", result.err), (text, result)
        else:
            check(result, text, *([2] if path[0] == "config" else [1, 2]))
    assert (ran / "queue.db").read_bytes() == before


@pytest.mark.parametrize(
    "path",
    [path for path, command in COMMANDS.items() if any("--db" in option.opts for option in options(command))],
    ids=" ".join,
)
def test_places_that_can_not_be_a_queue(cli: Cli, tmp_path: Path, path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    more = ["--yes"] if any("--yes" in option.opts for option in options(command)) else []
    more += ["--until-idle"] if any("--until-idle" in option.opts for option in options(command)) else []
    words = {
        ("config", "set"): ["max-retries", "3"],
        ("enqueue",): ["true"],
        ("dlq", "retry"): ["--all"],
        ("backfill",): ["x", "--from=2026-01-01"],
        ("queue", "limit"): ["x", "--running=1"],
    }.get(path, filled(command))
    (tmp_path / "text.db").write_text("to do\n" * 100)
    (tmp_path / "folder.db").mkdir()
    (tmp_path / "x").write_text("command: x\n")
    places = {
        "postgres://h/d": 2,
        "": 2,
        "/dev/null/q.db": 4,
        "text.db": 5,
        "folder.db": 5,
        "/dev/zero": 5,
        "/proc/nope/q.db": 4,
    }
    for place, code in places.items():
        result = cli("--db", place, *path, *words, *more)
        if path == ("doctor",) and code > 2:
            assert (result.code, result.err) == (1, ""), place
        elif place.startswith(("/proc", "/dev/null")):
            assert result.code in {0, 1, 2, 3, 4}, (place, result)  # what only looks finds nothing there
        else:
            assert result.code in {code, 2, 3}, (place, result)
            assert result.code == code or path in {("apply",), ("diff",), ("run",), ("next",)}, (
                place,
                result,
            )
        assert "unexpected" not in result.err
        assert result.err.count("\n") <= 2, (place, result.err)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["enqueue"], 2), (["enqueue", "-", "more"], 2), (["enqueue", "true", "--file", "x"], 2),
        (["enqueue", "-", "--key", "k"], 2), (["enqueue", "true", "--run-at", "2030-01-01", "--delay", "1s"], 2),
        (["enqueue", ""], 2), (["enqueue", " "], 2), (["enqueue", "--command", ""], 2), (["enqueue", "a" * 200_000], 2),
        (["enqueue", "true", "--env", "QUEUECTL_X=1"], 2), (["enqueue", "true", "--queue", "a b"], 2),
        (["enqueue", "true", "--queue", ""], 2), (["enqueue", "{}"], 2), (["enqueue", '{"command": 1}'], 2),
        (["enqueue", '{"command": "x", "command": "y"}'], 2), (["enqueue", '{"command": "x"'], 2),
        (["enqueue", '{"command": "x", "retrys": 1}'], 2), (["enqueue", '{"command": "x", "timeout": NaN}'], 2),
        (["enqueue", '{"command": "x", "priority": 1e400}'], 2), (["enqueue", "{" + '"a":{' * 5_000], 2),
        (["logs", "hello", "-f", "--tail", "1"], 2), (["logs", "hello", "-f", "-o", "json"], 2),
        (["logs", "hello", "--attempt", "9"], 1), (["logs", "later"], 1),
        (["enqueue", "true", "--needs", "nope"], 1), (["enqueue", "true", "--needs", ""], 1),
        (["run", "--watch"], 2), (["run", "--queue", "a b", "--until-idle"], 2),
        (["run", "--queue", "", "--until-idle"], 2),
        (["worker", "start", "--queue", "a b", "--until-idle"], 2),
        (["worker", "nope"], 2), (["dlq"], 0), (["dlq", "nope"], 2), (["nope"], 2),
        (["dlq", "retry"], 2), (["dlq", "retry", "1", "--all"], 2), (["dlq", "retry", "boom", "--spec", "x"], 2),
        (["dlq", "retry", "--all", "--spec", "nope"], 1), (["dlq", "list", "--spec", "nope"], 1),
        (["dlq", "show", "hello"], 1), (["dlq", "retry", "boom", "hello"], 1), (["list", "--spec", "nope"], 1),
        (["purge", "--state", "pending", "--yes"], 2), (["purge"], 2), (["dlq", "clear"], 2),
        (["queue", "clear", "mail"], 2),
        (["config", "reset"], 2), (["queue", "pause", "a b"], 2), (["queue", "pause", ""], 2), (["queue", "pause"], 2),
        (["queue", "clear", "nope", "--yes"], 1), (["cancel", "hello"], 1), (["cancel", "boom", "hello"], 1),
        (["retry", "later"], 1), (["config", "set"], 2), (["config", "set", "max-retries"], 2),
        (["config", "set", "nope", "1"], 2), (["config", "set", "=1"], 2), (["config", "set", "max-retries=x"], 2),
        (["config", "set", "max-retries", "5", "lease", "x"], 2), (["config", "set", "heartbeat", "1h"], 2),
        (["config", "set", "lease", "1s", "heartbeat", "1s"], 2), (["config", "get", "nope"], 2),
        (["config", "unset", "nope"], 2), (["backup", ""], 1), (["backup", "queue.db"], 1),
        (["backup", "/nowhere/x"], 4),
        (["backup", "/"], 1), (["logs", "hello", "--attempt", DIGITS], 1), (["apply", "/dev/zero"], 3),
        (["spec", "list", "--source", "nope"], 0), (["next", "--from", "2026-01-01", "--count", "0"], 2),
        (["fires", "nope"], 1), (["next", "--spec", "nope"], 1), (["wait", "later", "--timeout", "1ms"], 1),
        (["completion"], 0), (["completion", "tcsh"], 2), (["schema", "x"], 2), (["--db"], 2),
        (["-o", "json", "list"], 2),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else None,
)  # fmt: skip
def test_what_contradicts_itself_or_what_is_there(cli: Cli, ran: Path, words: list[str], code: int) -> None:
    before = cli("list", "-o", "json").out, cli("config", "list").out
    result = cli(*words)
    if code:
        assert result.code == code, result
        assert result.out == "" or words[0] == "cancel"
        assert "queuectl: " in result.err or code == 3
        several = len(words) - 1 if words[0] == "cancel" else 1
        lines = 3 if "breaks at" in result.err else 5 if code == 3 else several
        assert result.err.count("\n") <= lines, result.err
        assert len(result.err) < 1_000
    else:
        assert result.code == 0
    assert (cli("list", "-o", "json").out, cli("config", "list").out) == before


@pytest.mark.parametrize(
    ("words", "stdin"),
    [
        (["enqueue", '{"command": '], ""), (["enqueue", '{"command": 5}'], ""),
        (["enqueue", "true", "--cwd", "/nope"], ""),
        (["enqueue", "-"], '{"command": "x"}\n{"command": \n'), (["enqueue", "-"], "true\n{}\n"),
        (["enqueue", "--file", "-"], "[{}]"), (["enqueue", "true", "--run-at", "never"], ""),
        (["enqueue", '{"command": "x", "priority": "high"}', "--priority", "5"], ""),
        (["config", "set", "lease", "x"], ""), (["config", "set", "heartbeat", "60s"], ""), (["run", "nowhere"], ""),
        (["worker", "start", "--log-level", "loud"], ""), (["apply", "nowhere"], ""), (["backup", "copy.db"], ""),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)  # fmt: skip
def test_the_first_command_of_all_makes_no_queue_when_it_is_wrong(
    cli: Cli, tmp_path: Path, words: list[str], stdin: str
) -> None:
    result = cli(*words, stdin=stdin)
    assert result.code in {1, 2, 3}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("value", "option", "says"),
    [
        ('"priority": "high"', ["--priority", "5"], "priority"),
        ('"timeout": "soon"', ["--timeout", "5s"], "timeout"),
        ('"max_retries": -1', ["--max-retries", "5"], "retries"),
        ('"queue": "a b"', ["--queue", "mail"], "queue"),
        ('"env": [1]', ["--env", "A=1"], "env"),
    ],
)
def test_an_option_hides_no_wrong_value_of_the_json(
    cli: Cli, value: str, option: list[str], says: str
) -> None:
    result = cli("enqueue", f'{{"command": "true", {value}}}', *option)
    assert result.code == 2
    assert result.err.startswith(f"queuectl: {says}")
