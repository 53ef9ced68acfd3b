"""Defaults that are frozen into a job, and what makes a spec another one."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from queuectl.model.config import Config
from queuectl.model.env import EnvRef
from queuectl.model.spec import Backoff, JobSpec
from queuectl.rules.freeze import freeze
from queuectl.rules.identity import digest

SPEC = JobSpec(name="a", command="true", env={"A": "1", "B": EnvRef(from_env="X")})


def test_the_configuration_fills_what_the_spec_leaves_open() -> None:
    frozen = freeze(SPEC, Config(max_retries=7, default_timeout="none", backoff_base=5))
    assert (frozen.retries, frozen.timeout_ms, frozen.backoff.base_ms) == (7, "none", 5)
    assert frozen.kill_after_ms == 10_000
    assert frozen.max_log_bytes == 64 * 1024 * 1024


def test_the_spec_beats_the_configuration() -> None:
    spec = replace(
        SPEC, retries=0, timeout_ms=1, kill_after_ms=2, max_log_bytes=3, backoff=Backoff(factor=9.0)
    )
    frozen = freeze(spec, Config())
    assert (frozen.retries, frozen.timeout_ms, frozen.kill_after_ms, frozen.max_log_bytes) == (0, 1, 2, 3)
    assert (frozen.backoff.factor, frozen.backoff.base_ms) == (9.0, 2_000)


@pytest.mark.parametrize(
    "changed",
    [
        {"command": "false"},
        {"command": ("true",)},
        {"shell": ("bash", "-c")},
        {"cwd": "/x"},
        {"env": {"A": "2"}},
        {"env_file": ("/e",)},
        {"run_at_ms": 5},
    ],
)
def test_what_it_does_makes_it_another_one(changed: dict[str, object]) -> None:
    assert digest(replace(SPEC, **changed)) != digest(SPEC)


@pytest.mark.parametrize(
    "changed", [{"description": "x"}, {"retries": 9}, {"priority": 3}, {"labels": {"a": "b"}}]
)
def test_how_it_is_described_and_judged_does_not(changed: dict[str, object]) -> None:
    assert digest(replace(SPEC, **changed)) == digest(SPEC)


def test_the_order_of_variables_does_not_matter() -> None:
    turned = replace(SPEC, env={"B": EnvRef(from_env="X"), "A": "1"})
    assert digest(turned) == digest(SPEC)
