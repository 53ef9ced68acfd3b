"""`queuectl enqueue -`: batches that are enqueued as a whole or not at all, and what is said when it ends early."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

import pytest

from queuectl.cli import lines
from queuectl.cli.ad_hoc import LONGEST_LINE
from queuectl.cli.lines import BATCH_LINES, batches
from queuectl.model.errors import StoreFullError, UsageError
from queuectl.service.enqueue import enqueue_all
from tests.cli.conftest import Cli, clean_environment, wait_until


def texts(stream: Any) -> list[list[str]]:
    return [[text for _, text in batch] for batch in batches(stream)]


def commands(cli: Cli) -> list[str]:
    return [job["command"] for job in reversed(cli("list", "--limit", "0", "-o", "json").json)]


@pytest.fixture
def threes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of three lines."""
    monkeypatch.setattr(lines, "BATCH_LINES", 3)


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """`enqueue -` in a process of its own, reading and writing pipes."""
    process = subprocess.Popen(
        [sys.executable, "-m", "queuectl", "enqueue", "-", *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=clean_environment(folder), cwd=folder,
    )  # fmt: skip
    with process:
        try:
            yield process
        finally:
            process.kill()


# How a stream becomes batches


def test_lines_are_numbered_as_they_stand_and_empty_ones_left_out() -> None:
    stream = io.BytesIO(b"\xef\xbb\xbfa\r\n\n  \nb\n\tc \r\n\r\n")
    assert list(batches(stream)) == [[(1, "a"), (4, "b"), (5, "c")]]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", []),
        (b"\n\n \r\n", []),
        (b"a", [["a"]]),
        (b"a\nb\n", [["a", "b"]]),
        (b"a\nb\nc", [["a", "b"], ["c"]]),
    ],
)
def test_the_end_of_a_stream(content: bytes, found: list[list[str]]) -> None:
    assert texts(io.BytesIO(content)) == found


def test_a_batch_has_no_more_lines_than_it_may() -> None:
    count = BATCH_LINES * 2 + 1
    stream = io.BytesIO(b"".join(b"%d\n" % number for number in range(1, count + 1)))
    found = list(batches(stream))
    assert [len(batch) for batch in found] == [BATCH_LINES, BATCH_LINES, 1]
    assert list(chain.from_iterable(found)) == [(number, str(number)) for number in range(1, count + 1)]


def test_lines_that_come_in_pieces_are_put_together() -> None:
    class Slow(io.RawIOBase):
        pieces: ClassVar = [b"ec", b"ho \xc3", b"\xbc\nec", b"ho b\r", b"\necho c"]

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            piece = self.pieces.pop(0) if self.pieces else b""
            buffer[: len(piece)] = piece
            return len(piece)

    assert texts(io.BufferedReader(Slow())) == [["echo ü"], ["echo b"], ["echo c"]]


def test_a_line_without_an_end_is_refused_before_it_fills_the_memory() -> None:
    class Endless(io.BytesIO):
        def read1(self, size: int | None = -1, /) -> bytes:
            return b"x" * 65_536

    with pytest.raises(UsageError, match="line 1 is longer than 1 MiB"):
        texts(Endless())
    assert texts(io.BytesIO(b"x" * LONGEST_LINE)) == [["x" * LONGEST_LINE]]


# All or nothing


@pytest.mark.parametrize("bad", range(1, 9))
@pytest.mark.usefixtures("threes")
def test_the_batch_of_a_bad_line_is_not_enqueued_and_those_before_are(cli: Cli, bad: int) -> None:
    given = [f"echo {number}" for number in range(1, 9)]
    given[bad - 1] = '{"comand": "x"}'
    kept = (bad - 1) // 3 * 3

    result = cli("enqueue", "-", stdin="".join(f"{line}\n" for line in given))

    assert (result.code, result.out) == (2, "")
    done = (
        f"the {kept} jobs up to line {kept} are enqueued, none after it: go on from line {kept + 1}"
        if kept
        else "nothing was enqueued"
    )
    assert result.err == (
        f"queuectl: line {bad}: unknown field 'comand', did you mean 'command'?; missing field 'command'; {done}\n"
    )
    assert commands(cli) == given[:kept]


@pytest.mark.usefixtures("threes")
def test_going_on_from_the_line_that_is_named_enqueues_each_line_once(cli: Cli) -> None:
    given = ["a", "", "b", "c", "d", "", "e", '{"command": }', "f", "g", "h"]
    result = cli("enqueue", "-", stdin="\n".join(given))
    named = re.search(r"go on from line (\d+)", result.err)
    assert named, result.err
    given[7] = '{"command": "mended"}'
    assert cli("enqueue", "-", stdin="\n".join(given[int(named[1]) - 1 :])).code == 0
    assert commands(cli) == ["a", "b", "c", "d", "e", "mended", "f", "g", "h"]


@pytest.mark.usefixtures("threes")
def test_what_is_done_stands_on_a_line_of_its_own_after_broken_json(cli: Cli) -> None:
    result = cli("enqueue", "-", stdin='a\nb\nc\n{"command": }')
    *_, caret, done = result.err.splitlines()
    assert caret.strip() == "^"
    assert done == "the 3 jobs up to line 3 are enqueued, none after it: go on from line 4"


@pytest.mark.usefixtures("threes")
@pytest.mark.parametrize("line", [b"\xff\n", b"x" * (LONGEST_LINE + 1)], ids=["no UTF-8", "too long"])
def test_a_line_that_can_not_be_read_ends_it_too(cli: Cli, line: bytes) -> None:
    result = cli("enqueue", "-", stdin=b"a\nb\nc\n" + line)
    assert result.code == 2
    assert "queuectl: line 4 is " in result.err
    assert result.err.endswith("go on from line 4\n")
    assert commands(cli) == ["a", "b", "c"]


@pytest.mark.usefixtures("threes")
def test_keys_that_are_there_count_as_done(cli: Cli) -> None:
    one, two = (json.dumps({"command": "x", "id": name}) for name in ("one", "two"))
    assert cli("enqueue", "-", stdin=f"{one}\n{two}\n{one}\na\n{one}\n").out == (
        "3 jobs enqueued (1–4), 2 jobs known by key\n"
    )
    other = '{"command": "y", "id": "two"}'
    result = cli("enqueue", "-", stdin=f"b\n{two}\nc\nd\n{other}\n")
    assert result.code == 1
    assert result.err == (
        "queuectl: line 5: the key 'two' belongs to job 2, which has another command; choose another key;"
        " the 3 jobs up to line 3 are enqueued, none after it: go on from line 4\n"
    )
    assert commands(cli) == ["x", "x", "a", "b", "c"]


@pytest.mark.usefixtures("threes")
def test_what_the_store_can_not_take_says_what_it_took(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []

    def full(ctx: Any, requests: list[Any]) -> Any:
        if taken:
            raise StoreFullError("no space left on the disk")
        taken.append(len(requests))
        return enqueue_all(ctx, requests)

    cli("config", "set", "max-retries", "3")  # else the first lines are rehearsed before the queue is made
    monkeypatch.setattr(lines, "enqueue_all", full)
    result = cli("enqueue", "-", stdin="a\nb\nc\nd")
    assert result.code == 4
    assert "disk; the 3 jobs up to line 3 are enqueued" in result.err
    assert commands(cli) == ["a", "b", "c"]


# What is printed


@pytest.mark.usefixtures("threes")
@pytest.mark.parametrize("output", ["json", "jsonl"])
def test_jobs_are_printed_as_they_are_enqueued_also_when_it_ends_early(
    cli: Cli, output: str, read: Callable[[str], list[Any]]
) -> None:
    result = cli("enqueue", "-", "-o", output, stdin="a\nb\nc\nd\ne")
    assert [(job["id"], job["command"]) for job in read(result.out)] == list(enumerate("abcde", 1))
    result = cli("enqueue", "-", "-o", output, stdin="a\nb\nc\nd\n{}\n")
    assert result.code == 2
    assert [job["id"] for job in read(result.out)] == [6, 7, 8]
    assert cli("enqueue", "-", "-o", output, stdin="a\n{}\n").out == ""
    assert read(cli("enqueue", "-", "-o", output, stdin="").out) == []


def test_an_array_reads_as_if_it_were_printed_at_once(cli: Cli) -> None:
    out = cli("enqueue", "-", "-o", "json", "--env", "A=1", stdin="a\necho '\u2028'\nc").out
    assert (
        out == json.dumps(json.loads(out), indent=2, ensure_ascii=False).replace("\u2028", "\\u2028") + "\n"
    )


def test_progress_is_shown_on_a_terminal_only(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cli("enqueue", "-", stdin="a\nb").err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    result = cli("enqueue", "-", stdin="a\nb")
    assert re.search(r"\r2 jobs enqueued, [\d,]+/s .*\r\x1b\[K$", result.err)
    assert result.out == "2 jobs enqueued (3–4)\n"


@pytest.fixture
def read(request: pytest.FixtureRequest) -> Callable[[str], list[Any]]:
    """Reads what was printed."""
    if request.node.callspec.params["output"] == "json":
        return json.loads
    return lambda out: [json.loads(line) for line in out.splitlines()]


# Ended from outside


@pytest.mark.usefixtures("threes")
def test_a_signal_in_the_middle_of_a_batch_waits_for_its_end(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(ctx: Any, requests: list[Any]) -> Any:
        signal.raise_signal(signal.SIGINT)
        return enqueue_all(ctx, requests)

    cli("config", "set", "max-retries", "3")
    monkeypatch.setattr(lines, "enqueue_all", interrupted)
    result = cli("enqueue", "-", stdin="a\nb\nc\nd\n")
    assert result.code == 130
    assert "the 3 jobs up to line 3 are enqueued, none after it: go on from line 4" in result.err
    assert commands(cli) == ["a", "b", "c"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_says_what_is_enqueued(tmp_path: Path, number: signal.Signals, code: int) -> None:
    with running(tmp_path, "-o", "jsonl") as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdin.write(b"echo 1\necho 2\necho half")
        process.stdin.flush()
        assert [json.loads(process.stdout.readline())["command"] for _ in range(2)] == ["echo 1", "echo 2"]
        process.send_signal(number)
        err = process.stderr.read().decode()
        assert process.wait(20) == code
    assert err.startswith(
        "queuectl: the 2 jobs up to line 2 are enqueued, none after it: go on from line 3\n"
    )


def test_what_was_printed_is_there_after_kill_9(cli: Cli, tmp_path: Path) -> None:
    printed: list[str] = []
    with running(tmp_path, "-o", "jsonl") as process:
        assert process.stdin
        assert process.stdout
        for number in range(20):
            process.stdin.write(b"echo %d\n" % number)
            process.stdin.flush()
            printed.append(json.loads(process.stdout.readline())["command"])
        process.stdin.write(b"".join(b"echo more %d\n" % number for number in range(3000)))
        process.stdin.flush()
        printed += [json.loads(process.stdout.readline())["command"] for _ in range(100)]
        os.kill(process.pid, signal.SIGKILL)
        rest = process.stdout.read().splitlines(keepends=True)
    printed += [json.loads(line)["command"] for line in rest if line.endswith(b"\n")]
    there = commands(cli)
    assert there[: len(printed)] == printed
    assert len(printed) >= 120


def test_a_reader_that_has_gone_ends_it_and_what_is_enqueued_is_said(cli: Cli, tmp_path: Path) -> None:
    with running(tmp_path, "-o", "jsonl") as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdin.write(b"echo 1\n")
        process.stdin.flush()
        process.stdout.readline()
        process.stdout.close()
        process.stdin.write(b"echo 2\n")
        process.stdin.close()
        err = process.stderr.read().decode()
        assert process.wait(20) == 141
    assert err == "queuectl: the 2 jobs up to line 2 are enqueued, none after it: go on from line 3\n"
    wait_until(lambda: commands(cli) == ["echo 1", "echo 2"], "both jobs")
