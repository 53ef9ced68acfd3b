from __future__ import annotations

from queuectl.rules.nearest import did_you_mean, nearest

FIELDS = ("retries", "timeout", "kill_after", "env", "env_file")


def test_nearest_finds_slips_of_the_pen() -> None:
    assert nearest("retrys", FIELDS) == "retries"
    assert nearest("TimeOut", FIELDS) == "timeout"
    assert nearest("kill-after", FIELDS) == "kill_after"
    assert nearest("envfile", FIELDS) == "env_file"
    assert nearest("europe/berln", ["Europe/Berlin", "Europe/Bern"]) == "Europe/Berlin"


def test_nearest_finds_nothing_where_nothing_is_near() -> None:
    assert nearest("zzz", FIELDS) is None
    assert nearest("", FIELDS) is None
    assert nearest("retries", []) is None


def test_did_you_mean_goes_behind_a_message() -> None:
    assert did_you_mean("retrys", FIELDS) == ", did you mean 'retries'?"
    assert did_you_mean("zzz", FIELDS) == ""
