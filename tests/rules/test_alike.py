from __future__ import annotations

import pytest

from queuectl.rules.alike import LONGEST, alike


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("exit code 1, after 4 failures", "exit code 1, after 1 attempt"),
        ("its worker died during attempt 2", "its worker died during attempt 7"),
        ("could not start: '/tmp/tmpab3_x/run' is gone", "could not start: '/tmp/tmpqq/run' is gone"),
        ("connection refused by 10.0.0.1:5432", "connection refused by 10.0.17.2:5433"),
        ("pid 4711 at 0x7f00aa", "pid 12 at 0x1"),
        ("no 0b0c7a52-1111-4222-8333-0123456789ab", "no 9b0c7a52-1111-4222-8333-0123456789ab"),
        ("at 2026-11-24T02:00:00Z", "at 2027-01-02T03:04:05Z"),
        ("commit 1a2b3c4d5e", "commit 99aabbccdd"),
        ("two\r\nlines", "two lines"),
    ],
)
def test_what_differs_from_job_to_job_is_left_out(one: str, other: str) -> None:
    assert alike(one) == alike(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("exit code 1, after 4 failures", "exit code 2, after 4 failures"),
        ("killed by SIGSEGV", "killed by SIGKILL"),
        ("[Errno 2] No such file", "[Errno 13] No such file"),
        ("timed out", "its worker died"),
        ("decade feed", "facade feed"),
    ],
)
def test_what_makes_a_kind_stays(one: str, other: str) -> None:
    assert alike(one) != alike(other)


def test_a_form_brings_it_back_as_it_was() -> None:
    kind = alike("a\x00b\x1b[31m \u202e c\nd")
    assert kind.isprintable()
    assert alike(kind) == kind


def test_a_long_one_is_cut() -> None:
    assert len(alike("x" * 1_000_000)) == LONGEST
