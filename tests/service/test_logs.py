from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from queuectl.engine.output import Gap, Piece
from queuectl.model.errors import ConflictError, UnknownError
from queuectl.model.job import Job
from queuectl.model.states import JobState, Outcome
from queuectl.service import logs
from queuectl.service.context import Context
from tests.service.conftest import NOON
from tests.store.conftest import Bench


@pytest.fixture
def bench(ctx: Context) -> Bench:
    return Bench(ctx.store)


@pytest.fixture
def log_dir(ctx: Context) -> Path:
    ctx.log_dir.mkdir()
    return ctx.log_dir


RUNNING = "w1-0.log"
"""What the first attempt that `bench` claims writes to."""


class Steps:
    """Stands in for the time between two looks: each one does the next step."""

    def __init__(self, *steps: Callable[[], object]) -> None:
        self._steps = iter(steps)

    def __call__(self, _seconds: float) -> None:
        next(self._steps)()

    def assert_over(self) -> None:
        assert next(self._steps, None) is None, "it did not wait for all of it"


def text(found: Iterator[Piece]) -> str:
    return "".join(f"[{piece.size}]" if isinstance(piece, Gap) else piece.decode() for piece in found)


def write(path: Path, content: str) -> None:
    with path.open("a") as file:
        file.write(content)


# An attempt that has ended


def test_a_short_output_is_in_the_row(ctx: Context, bench: Bench) -> None:
    job = bench.processing()
    bench.finish(job, output=b"hello\n", output_bytes=6)

    assert list(logs.pieces(ctx, job)) == [b"hello\n"]


def test_no_output(ctx: Context, bench: Bench) -> None:
    job = bench.in_state(JobState.COMPLETED)

    assert list(logs.pieces(ctx, job)) == []
    assert list(logs.follow(ctx, job)) == []


def test_a_long_output_is_in_its_file(ctx: Context, bench: Bench, log_dir: Path) -> None:
    job = bench.processing()
    write(log_dir / "1-1.log", "head and tail")
    bench.finish(job, output=b"tail", output_bytes=13, output_file="1-1.log")

    assert text(logs.pieces(ctx, job)) == "head and tail"
    assert text(logs.follow(ctx, job)) == "head and tail"


@pytest.mark.parametrize("name", ["gone.log", "../secret", "", "a\0b"])
def test_without_its_file_the_end_is_in_the_row(ctx: Context, bench: Bench, log_dir: Path, name: str) -> None:
    write(log_dir.parent / "secret", "secret")
    job = bench.processing()
    bench.finish(job, output=b"tail", output_bytes=104, output_file=name)

    assert text(logs.pieces(ctx, job)) == "[100]tail"


def test_each_attempt_has_its_own_and_the_latest_is_shown(ctx: Context, bench: Bench) -> None:
    bench.enqueue()
    for number in (1, 2, 3):
        (job,) = bench.claim()
        bench.finish(job, JobState.PENDING, outcome=Outcome.INTERRUPTED, output=b"%d" % number)
    job = bench.now(job)

    assert text(logs.pieces(ctx, job)) == "3"
    assert [text(logs.pieces(ctx, job, number)) for number in (1, 2, 3)] == ["1", "2", "3"]
    for number in (0, 4, -1, 10**30):
        with pytest.raises(
            UnknownError, match=f"^job {job.id} has no attempt {number}; it has attempts 1 to 3$"
        ):
            logs.pieces(ctx, job, number)
        with pytest.raises(UnknownError, match=f"^job {job.id} has no attempt {number};"):
            next(logs.follow(ctx, job, number))


def test_a_job_that_never_ran_has_none(ctx: Context, bench: Bench) -> None:
    job = bench.enqueue()

    with pytest.raises(ConflictError, match=f"^job {job.id} has not run yet: it is pending$"):
        logs.pieces(ctx, job)


# An attempt that runs


def test_what_a_running_attempt_wrote_until_now(ctx: Context, bench: Bench, log_dir: Path) -> None:
    job = bench.processing()
    assert text(logs.pieces(ctx, job)) == "", "it has only just started"

    write(log_dir / RUNNING, "until now")
    assert text(logs.pieces(ctx, job)) == "until now"


def test_an_attempt_that_ends_while_it_is_looked_for(ctx: Context, bench: Bench) -> None:
    job = bench.processing()
    found = logs.pieces(ctx, job)
    bench.finish(job, output=b"all of it", output_bytes=9)

    assert text(found) == "all of it"


def test_an_attempt_that_ends_while_it_is_read(ctx: Context, bench: Bench, log_dir: Path) -> None:
    """Its file is another's by then: what that one writes must not be taken for its own."""
    job = bench.processing()
    first, rest = "x" * 65_536, "the rest"
    write(log_dir / RUNNING, first + rest)
    found = logs.pieces(ctx, job)
    assert next(found) == first.encode()
    (log_dir / RUNNING).rename(log_dir / "1-1.log")
    write(log_dir / RUNNING, "y" * 100_000)
    bench.finish(job, output=rest.encode(), output_bytes=65_544, output_file="1-1.log")

    assert text(found) == rest


def test_follow_from_before_the_start_to_the_end(ctx: Context, bench: Bench, log_dir: Path) -> None:
    path = log_dir / RUNNING
    job = bench.enqueue()

    def end() -> None:
        bench.finish(bench.now(job), output=b"one two three", output_bytes=13)
        path.write_text("of another attempt")

    steps = Steps(
        bench.claim,
        lambda: None,
        lambda: write(path, "one "),
        lambda: write(path, "two "),
        lambda: None,
        end,
    )

    assert list(logs.follow(ctx, job, sleep=steps)) == [b"one ", b"two ", b"three"]
    steps.assert_over()


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (7, "emptied"),  # `> /dev/stdout`: there is less than was shown
        (100, "[85]emptied"),  # a small max_log: only the end was kept
    ],
)
def test_follow_to_an_end_that_does_not_fit(
    ctx: Context, bench: Bench, log_dir: Path, size: int, expected: str
) -> None:
    job = bench.processing()
    write(log_dir / RUNNING, "one two ")
    steps = Steps(lambda: bench.finish(job, output=b"emptied", output_bytes=size, truncated=size > 7))

    assert text(logs.follow(ctx, job, sleep=steps)) == "one two " + expected


def test_follow_loses_nothing_of_an_attempt_that_it_never_saw_running(ctx: Context, bench: Bench) -> None:
    job = bench.processing()
    steps = Steps(lambda: bench.finish(job, output=b"quick", output_bytes=5))

    assert text(logs.follow(ctx, job, sleep=steps)) == "quick"


def test_follow_until_the_job_is_final(ctx: Context, bench: Bench) -> None:
    job = bench.processing()
    numbers: list[int] = []

    def fail(output: bytes) -> None:
        bench.finish(
            bench.now(job),
            JobState.FAILED,
            outcome=Outcome.FAILED,
            run_at=NOON,
            output=output,
            output_bytes=len(output),
        )
        ctx.store.jobs.promote(now=NOON)

    steps = Steps(
        lambda: fail(b"first "),
        bench.claim,
        lambda: fail(b"second "),
        lambda: (bench.claim(), bench.finish(bench.now(job), output=b"third", output_bytes=5)),
    )
    followed = logs.follow(
        ctx, job, until_final=True, sleep=steps, on_attempt=lambda attempt: numbers.append(attempt.number)
    )

    assert text(followed) == "first second third"
    assert numbers == [1, 2, 3]
    steps.assert_over()


def test_follow_ends_with_a_job_that_is_cancelled_before_it_ran(ctx: Context, bench: Bench) -> None:
    job = bench.enqueue()
    steps = Steps(lambda: ctx.store.jobs.cancel(job.id, reason="no", now=NOON))

    assert list(logs.follow(ctx, job, sleep=steps)) == []


def test_follow_ends_when_the_job_is_purged(ctx: Context, bench: Bench, log_dir: Path) -> None:
    job = bench.processing()
    write(log_dir / RUNNING, "x")
    steps = Steps(lambda: (bench.finish(job), ctx.store.history.forget([job.id])))

    assert text(logs.follow(ctx, job, sleep=steps)) == "x"


def test_follow_a_real_worker(ctx: Context, bench: Bench) -> None:
    """Output arrives while the attempt runs, and all of it: what is short, and what is too long for the row."""
    gate = ctx.path.parent / "go"
    command = f"echo started; until [ -e {gate} ]; do sleep 0.02; done; seq 30000; echo end"
    job: Job = bench.enqueue(command=command, cwd=str(ctx.path.parent), timeout_ms=30_000, **_frozen())
    run = [sys.executable, "-m", "queuectl", "--db", str(ctx.path), "run", "--until-idle"]
    worker = subprocess.Popen(
        run, stderr=subprocess.PIPE, env=os.environ | {"QUEUECTL_POLL_INTERVAL": "50ms"}
    )
    deadline = time.monotonic() + 30

    def sleep(seconds: float) -> None:
        assert time.monotonic() < deadline
        time.sleep(seconds / 5)

    found = b""
    for piece in logs.follow(ctx, job, sleep=sleep):
        assert isinstance(piece, bytes)
        if not found:
            assert piece == b"started\n"
            assert bench.now(job).state is JobState.PROCESSING
            gate.touch()
        found += piece

    _, errors = worker.communicate(timeout=30)
    assert worker.returncode == 0, errors
    assert found == b"started\n" + b"".join(b"%d\n" % number for number in range(1, 30_001)) + b"end\n"
    assert b"".join(piece for piece in logs.pieces(ctx, job) if isinstance(piece, bytes)) == found


def _frozen() -> dict[str, Any]:
    return {"retries": 0, "kill_after_ms": 1000, "max_log_bytes": 10**7}
