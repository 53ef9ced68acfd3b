from __future__ import annotations

import pytest
from msgspec.structs import replace

from queuectl.model.config import Config
from queuectl.model.errors import UsageError
from queuectl.model.spec import Keep
from queuectl.service.context import Context
from queuectl.service.settings import effective, entries, get, reset, set_, unset


def test_without_anything_said_the_defaults_hold() -> None:
    assert effective({}, {}) == Config()


def test_flag_beats_environment_beats_set_beats_default() -> None:
    stored, environ, flags = {"lease": "1m"}, {"QUEUECTL_LEASE": "2m"}, {"lease": "3m"}
    assert effective(stored, {}).lease == 60_000
    assert effective(stored, environ).lease == 120_000
    assert effective(stored, environ, flags).lease == 180_000


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("max_retries", "0", 0),
        ("backoff_base", "3", 3_000),
        ("backoff_factor", "1.5", 1.5),
        ("backoff_jitter", "0", 0.0),
        ("default_timeout", "none", "none"),
        ("default_timeout", "90", 90_000),
        ("kill_after", "0", 0),
        ("stop_grace", "1m", 60_000),
        ("timezone", "Europe/Berlin", "Europe/Berlin"),
        ("max_log", "10MB", 10_000_000),
        ("keep_completed", "100", Keep(count=100)),
        ("keep_fires", "2h", Keep(for_ms=7_200_000)),
        ("log_dir", "none", None),
        ("log_level", "DEBUG", "debug"),
        ("durability", "normal", "normal"),
    ],
)
def test_every_kind_of_value_is_read(name: str, text: str, value: object) -> None:
    assert getattr(effective({name: text}, {}), name) == value
    assert getattr(effective({}, {f"QUEUECTL_{name.upper()}": text}), name) == value


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("max-retries", "-1", "expected a whole number 0…1000, found '-1'"),
        ("max-retries", "1001", "0…1000"),
        ("max-retries", "9" * 5000, "0…1000"),
        ("max-retries", "¹", "0…1000"),
        ("backoff-factor", "0.5", "at least 1"),
        ("backoff-factor", "nan", "at least 1"),
        ("backoff-factor", "inf", "at least 1"),
        ("backoff-jitter", "1.1", "0…1"),
        ("lease", "0", "duration"),
        ("lease", "soon", "duration"),
        ("kill-after", "-1", "duration"),
        ("timezone", "Europe/Berln", "IANA"),
        ("max-log", "much", "size"),
        ("keep-dead", "long", "age such as 7d or a count"),
        ("log-level", "debgu", "did you mean 'debug'"),
        ("durability", "none", "full or normal"),
    ],
)
def test_a_bad_value_is_refused_where_it_was_written(
    name: str, text: str, message: str, ctx: Context
) -> None:
    variable = "QUEUECTL_" + name.upper().replace("-", "_")
    with pytest.raises(UsageError, match=f"^{variable}: .*{message}"):
        effective({}, {variable: text})
    with pytest.raises(UsageError, match=f"^--{name}: .*{message}"):
        effective({}, {}, {name: text})
    with pytest.raises(UsageError, match=f"^config {name}: .*{message}"):
        set_(ctx, {name: text})
    assert ctx.store.settings.all() == {}


def test_a_hidden_bad_value_does_no_harm() -> None:
    assert effective({"lease": "rubbish"}, {"QUEUECTL_LEASE": "1m"}).lease == 60_000


def test_old_spellings_work_and_the_new_one_beats_them() -> None:
    assert effective({}, {"QUEUECTL_TIMEOUT": "5m"}).default_timeout == 300_000
    both = {"QUEUECTL_TIMEOUT": "5m", "QUEUECTL_DEFAULT_TIMEOUT": "6m"}
    assert effective({}, both).default_timeout == 360_000


def test_empty_and_unrelated_variables_are_passed_over() -> None:
    assert effective({}, {"QUEUECTL_LEASE": "", "QUEUECTL_DB": "x", "QUEUECTL_JOB_ID": "3"}) == Config()


def test_a_worker_shows_that_it_lives_several_times_a_lease() -> None:
    assert effective({"lease": "3s"}, {}).heartbeat == 1_000
    assert effective({"lease": "20s"}, {}).heartbeat == 5_000
    with pytest.raises(UsageError, match=r"^QUEUECTL_HEARTBEAT: expected .* half the lease \(3s\), found 2s"):
        effective({"lease": "3s"}, {"QUEUECTL_HEARTBEAT": "2s"})


def test_settings_say_where_they_come_from(ctx: Context) -> None:
    set_(ctx, {"max_retries": "5", "backoff-base": " 3 "})
    ctx = replace(ctx, environ={"QUEUECTL_MAX_RETRIES": "6"}, overrides={"lease": "1m"})
    found = {setting.key: setting for setting in entries(ctx)}
    assert (found["max-retries"].value, found["max-retries"].origin) == ("6", "environment")
    assert (found["backoff-base"].value, found["backoff-base"].origin) == ("3s", "set")
    assert (found["lease"].value, found["lease"].origin) == ("1m", "flag")
    assert (found["log-dir"].value, found["log-dir"].origin) == ("none", "default")
    assert (found["keep-completed"].value, found["max-log"].value) == ("7d", "64MiB")
    assert all(setting.meaning for setting in found.values())


def test_every_shown_value_can_be_set_again(ctx: Context) -> None:
    set_(ctx, {"max-log": "1234567", "backoff-factor": "1.23456789", "keep-dead": "12", "stop-grace": "90s"})
    before = entries(ctx)
    set_(ctx, {setting.key: setting.value for setting in before})
    assert [setting.value for setting in entries(ctx)] == [setting.value for setting in before]
    assert effective(ctx.store.settings.all(), {}).max_log == 1_234_567


def test_set_is_all_or_nothing(ctx: Context) -> None:
    with pytest.raises(UsageError, match="config lease"):
        set_(ctx, {"max-retries": "5", "lease": "never"})
    assert ctx.store.settings.all() == {}


def test_unset_and_reset_bring_the_defaults_back(ctx: Context) -> None:
    set_(ctx, {"max_retries": "5", "lease": "1m", "timezone": "Asia/Tokyo"})
    assert unset(ctx, "max-retries")
    assert not unset(ctx, "max-retries")
    assert get(ctx, "MAX_RETRIES").value == "3"
    assert reset(ctx) == 2
    assert effective(ctx.store.settings.all(), {}) == Config()


def test_unset_leaves_nothing_that_contradicts_itself(ctx: Context) -> None:
    set_(ctx, {"lease": "5m", "heartbeat": "1m"})
    with pytest.raises(UsageError, match="half the lease"):
        unset(ctx, "lease")
    assert get(ctx, "lease").value == "5m"


def test_an_unknown_key_names_the_nearest(ctx: Context) -> None:
    with pytest.raises(UsageError, match="no configuration key 'max-retrys', did you mean 'max-retries'"):
        get(ctx, "max-retrys")
    with pytest.raises(UsageError, match="config list"):
        set_(ctx, {"xyzzy": "1"})


def test_a_lease_that_no_worker_can_hold_is_refused(ctx: Context) -> None:
    with pytest.raises(UsageError, match="expected at least 500ms, found 499ms"):
        set_(ctx, {"lease": "499ms"})
