"""`queuectl config`, in all its spellings; backup and completion."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from queuectl.cli.config_keys import KEYS
from tests.cli.conftest import Cli, in_process


@pytest.mark.parametrize(
    "words",
    [
        ["config", "set", "max-retries", "5"],
        ["config", "set", "max_retries", "5"],
        ["config", "set", "max-retries=5"],
        ["config", "set", "--max-retries", "5"],
        ["config", "set", "--max_retries=5"],
        ["config", "max_retries", "5"],
        ["config", "max-retries", "5"],
    ],
    ids=" ".join,
)
def test_set(cli: Cli, words: list[str]):
    assert cli(*words).out == "max-retries = 5\n"
    for key in ("max-retries", "max_retries"):
        assert cli("config", "get", key).out == "5\n"
        assert cli("config", key).out == "5\n"
    cli("enqueue", "date")
    assert cli("list", "-o", "json").json[0]["max_retries"] == 5


def test_set_several(cli: Cli):
    result = cli("config", "set", "--max-retries", "5", "--backoff-base", "2", "--backoff-factor", "3")
    assert sorted(result.out.splitlines()) == ["backoff-base = 2s", "backoff-factor = 3", "max-retries = 5"]
    assert cli("config", "set", "max-retries", "6", "timezone", "Europe/Berlin").code == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["set"], "expected a KEY and a VALUE"),
        (["set", "max-retries"], "expected a value for max-retries"),
        (["set", "max-retires", "5"], "did you mean 'max-retries'?"),
        (["set", "max-retries", "many"], "'many'"),
        (["set", "--max-retries", "-1"], "'-1'"),
        (["set", "timezone", "Europe/Berln"], "Europe/Berln"),
        (["get", "max-retires"], "did you mean 'max-retries'?"),
        (["unset", "nope"], "no configuration key 'nope'"),
        (["max-retires", "5"], "did you mean 'max-retries'?"),
    ],
)
def test_what_can_t_be_set(cli: Cli, words: list[str], says: str):
    result = cli("config", *words)
    assert (result.code, result.out) == (2, "")
    assert says in result.err


def test_list_show_and_get(cli: Cli):
    cli("config", "set", "max-retries", "5")
    for words in (["list"], ["show"], ["get"]):
        rows = cli("config", *words, "-o", "json").json
        assert [row["key"] for row in rows] == list(KEYS)
        assert rows[0]["value"] == "5"
        assert rows[0]["origin"] == "set"
        assert "max-retries" in cli("config", *words).out
    assert cli("config", "get", "max-retries", "-o", "json").json["value"] == "5"


def test_unset_and_reset(cli: Cli):
    cli("config", "set", "max-retries", "5", "timezone", "Europe/Berlin")
    assert cli("config", "unset", "max_retries").out == "max-retries = 3 (default)\n"
    assert cli("config", "reset", "--yes").out == "1 key reset\n"
    assert cli("config", "get", "timezone").out == "UTC\n"


def test_precedence(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("QUEUECTL_MAX_RETRIES", "7")
    monkeypatch.setenv("QUEUECTL_TIMEOUT", "90")
    result = cli("config", "set", "max-retries", "5")
    assert result.err == "the environment sets max-retries to 7, which wins here\n"
    cli("enqueue", "date")
    cli("enqueue", "date", "--max-retries", "9")
    job = cli("get", "1", "-o", "json").json
    assert (job["max_retries"], job["timeout"]) == (7, "1m30s")
    assert cli("get", "2", "-o", "json").json["max_retries"] == 9


def test_where_the_queue_is(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    cli("--db", "before.db", "enqueue", "date")
    cli("enqueue", "date", "--db", "after.db")
    cli("queue", "--db", "between.db", "pause", "x")
    monkeypatch.delenv("QUEUECTL_DB")
    monkeypatch.setenv("QUEUECTL_DB_PATH", str(tmp_path / "old.db"))
    cli("enqueue", "date")
    monkeypatch.delenv("QUEUECTL_DB_PATH")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    cli("enqueue", "date")
    made = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.db")}
    assert made == {"before.db", "after.db", "between.db", "old.db", "state/queuectl/queue.db"}
    url = cli("--db", "postgresql://localhost/q", "list")
    assert (url.code, url.out) == (2, "")


def test_the_old_spelling_of_a_worker_s_backoff(cli: Cli, tmp_path: Path, jobs_d: Path):
    (jobs_d / "fails.yaml").write_text("command: exit 1\nschedule: {every: 1h}\nretries: 1\n")
    cli("config", "set", "backoff-jitter", "0")
    cli("apply", "jobs.d")
    done = in_process(tmp_path, "worker", "--count", "1", "--backoff-base", "0.01", "--until-idle")
    assert done.returncode == 1, done.stderr
    assert cli("get", "fails", "-o", "json").json["backoff"]["base"] == "10ms"
    assert cli("get", "fails", "-o", "json").json["backoff"]["factor"] == 2.0


def test_bare_backoff_base_is_the_factor_too():
    from queuectl.cli.run_options import overrides

    assert overrides({"backoff_base": "3", "log_file": None}) == {"backoff-base": "3", "backoff-factor": "3"}
    assert overrides({"backoff_base": "3s"}) == {"backoff-base": "3s"}
    assert overrides({"backoff_base": "3", "backoff_factor": "2"}) == {
        "backoff-base": "3",
        "backoff-factor": "2",
    }


def test_backup(cli: Cli, ran: Path):
    result = cli("backup", "copy.db")
    assert result.out.startswith("copied to copy.db (")
    assert apsw.Connection(str(ran / "copy.db")).execute("PRAGMA integrity_check").get == "ok"
    assert len(cli("--db", "copy.db", "list", "-o", "json").json) == 3
    assert cli("backup", "copy.db").code != 0
    missing = cli("--db", "none.db", "backup", "other.db")
    assert missing.code == 1
    assert not (ran / "other.db").exists()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script(cli: Cli, shell: str):
    script = cli("completion", shell).out
    assert "_QUEUECTL_COMPLETE" in script
    assert "queuectl" in script


@pytest.mark.parametrize(
    ("typed", "proposed"),
    [
        ("queuectl enq", "enqueue"),
        ("queuectl dlq re", "retry"),
        ("queuectl get b", "boom"),
        ("queuectl list --state comp", "completed"),
        ("queuectl queue pause m", "mail"),
        ("queuectl config get max-r", "max-retries"),
        ("queuectl enqueue --max-", "--max-retries"),
    ],
)
def test_completion(ran: Path, typed: str, proposed: str):
    words = {"COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split()) - 1)}
    done = in_process(ran, _QUEUECTL_COMPLETE="bash_complete", **words)
    assert f"plain,{proposed}" in done.stdout.decode().splitlines()
    assert done.stderr == b""


def test_a_word_from_elsewhere_needs_no_verb(cli: Cli):
    assert cli("config", "timeout", "5m").out == "default-timeout = 5m\n"
    assert cli("config", "timeout").out == "5m\n"
