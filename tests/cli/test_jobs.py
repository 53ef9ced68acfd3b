"""Looking at jobs and steering them: list, get, logs, cancel, retry, wait, purge, dlq, status."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, clean_environment, ids, in_process, wait_until

OUTPUT = "hello\n\x1b[2Jfake\rok\nto stderr\n"


def test_list(cli: Cli, ran: Path):
    lines = cli("list").out.splitlines()
    assert lines[0].split() == ["ID", "STATE", "NAME", "COMMAND", "QUEUE", "ATTEMPT", "WHEN", "REASON"]
    assert [line.split()[:3] for line in lines[1:]] == [
        ["3", "scheduled", "later"], ["2", "dead", "boom"], ["1", "completed", "hello"],
    ]  # fmt: skip
    assert cli("list", "-o", "jsonl").out.count("\n") == 3


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ([], [3, 2, 1]),
        (["--state", "dead"], [2]),
        (["--state", "dead,completed"], [2, 1]),
        (["--state", "dead", "--state", "scheduled"], [3, 2]),
        (["--state", "running"], []),
        (["--state", "queued"], []),
        (["--queue", "mail"], [3]),
        (["--limit", "2"], [3, 2]),
        (["--limit", "0"], [3, 2, 1]),
        (["--since", "1h"], [3, 2, 1]),
        (["--since", "2099-01-01"], []),
    ],
)
def test_list_filters(cli: Cli, ran: Path, arguments: list[str], wanted: list[int]):
    assert ids(cli("list", "-o", "json", *arguments).json) == wanted


def test_list_says_what_it_left_out(cli: Cli, ran: Path):
    result = cli("list", "--limit", "1", "-o", "json")
    assert ids(result.json) == [3]
    assert result.err == "only the newest 1 are shown; --limit 0 shows all\n"


def test_list_while_a_job_runs(cli: Cli, tmp_path: Path):
    cli("enqueue", "sleep 60")
    worker = subprocess.Popen(
        [sys.executable, "-m", "queuectl", "run", "--log-level", "error"], env=clean_environment(tmp_path)
    )
    wait_until(lambda: ids(cli("list", "--state", "running", "-o", "json").json) == [1], "the job to run")
    assert "processing" in cli("list").out
    page = cli("get", "1").out
    assert "running" in page
    assert "queuectl cancel 1" in page
    seen = cli("worker", "list", "-o", "json").json[0]
    assert (seen["pid"], seen["condition"], seen["running"]) == (worker.pid, "running", 1)
    assert cli("worker", "list").out.splitlines()[1].split()[0] == seen["id"][:8]
    assert "1 worker, 1 of 4 slots busy" in cli("status").out
    assert cli("worker", "pause").out == "1 worker paused\n"
    assert cli("worker", "list", "-o", "json").json[0]["condition"] == "paused"
    assert cli("worker", "resume", seen["id"][:6]).out == "1 worker resumed\n"
    assert cli("cancel", "1").out == "job 1: its worker is stopping it\n"
    assert (
        cli("wait", "1").out == "job 1 is cancelled: " + cli("get", "1", "-o", "json").json["reason"] + "\n"
    )
    assert cli("worker", "stop").out == "1 worker stopped\n"
    assert worker.wait(10) == 0
    assert cli("worker", "list", "-o", "json").json == []


def test_get_by_number_key_and_as_json(cli: Cli, ran: Path):
    job = cli("get", "boom", "-o", "json").json
    assert (job["id"], job["state"], job["exit_code"], len(job["attempts"])) == (2, "dead", 3, 1)
    assert cli("get", "2", "-o", "jsonl").out.count("\n") == 1


def test_get_tells_the_whole_story(cli: Cli, ran: Path):
    page = cli("get", "boom").out
    for part in (
        "job 2  dead – exit code 3, after 1 attempt", "key       boom", "command   echo doomed; exit 3",
        "retries   1 of 1 tries failed", "  | doomed", "queuectl retry 2", "queuectl logs 2",
    ):  # fmt: skip
        assert part in page, page
    attempt = next(line for line in page.splitlines() if "failed" in line and line.strip().startswith("1 "))
    assert attempt.split()[:3] == ["1", "failed", "3"]


def test_get_shows_neither_secrets_nor_control_characters(cli: Cli, ran: Path):
    page = cli("get", "hello").out
    assert "TOKEN=***" in page
    assert "secret" not in page + json.dumps(cli("get", "hello", "-o", "json").json)
    assert r"  | \e[2Jfake\rok" in page
    assert "\x1b" not in page


@pytest.mark.parametrize("command", ["get", "logs", "cancel", "retry", "wait", "dlq show", "dlq retry"])
def test_an_unknown_id_names_the_nearest(cli: Cli, ran: Path, command: str):
    result = cli(*command.split(), "boon")
    assert (result.code, result.out) == (1, "")
    assert result.err == "queuectl: there is no job 'boon', did you mean 'boom'?\n"


def test_logs_in_a_pipe_are_the_exact_bytes(ran: Path):
    done = in_process(ran, "logs", "1")
    assert (done.returncode, done.stdout) == (0, OUTPUT.encode())


def test_logs_with_options(cli: Cli, ran: Path):
    assert cli("logs", "hello", "--tail", "1").out == "to stderr\n"
    assert cli("logs", "hello", "--tail", "0").out == ""
    assert cli("logs", "hello", "--attempt", "1").out == OUTPUT
    assert cli("logs", "hello", "-f").out == OUTPUT
    shown = cli("logs", "hello", "-o", "json")
    assert (shown.json["output"], shown.json["attempt"], shown.json["outcome"]) == (OUTPUT, 1, "succeeded")
    assert "\x1b" not in shown.out
    missing = cli("logs", "hello", "--attempt", "9")
    assert (missing.code, missing.err) == (1, "queuectl: job 1 has no attempt 9; it has attempt 1\n")
    early = cli("logs", "later")
    assert (early.code, early.err) == (1, "queuectl: job 3 has not run yet: it is scheduled\n")


def test_logs_mark_what_was_not_kept(tmp_path: Path, cli: Cli):
    cli("config", "set", "max-log", "256KiB")
    cli("enqueue", "head -c 3000000 /dev/zero | tr '\\0' x; echo end")
    assert in_process(tmp_path, "run", "--until-idle").returncode == 0
    out = cli("logs", "1").out
    assert "not kept …]\n" in out
    assert out.endswith("xend\n")
    assert cli("logs", "1", "--tail", "1").out.endswith("xend\n")


def test_cancel_several(cli: Cli, ran: Path):
    result = cli("cancel", "1", "later", "2")
    assert result.code == 1
    assert result.out == "job 3 is cancelled\n"
    assert result.err.splitlines() == [
        "queuectl: job 1 is completed already, so there is nothing to cancel",
        "job 2 is dead already, so there is nothing to cancel",
    ]


def test_cancel_gives_a_reason(cli: Cli, ran: Path):
    assert ids(cli("cancel", "later", "--reason", "disk full", "-o", "json").json) == [3]
    assert cli("get", "3", "-o", "json").json["reason"] == "disk full"


def test_retry(cli: Cli, ran: Path):
    assert cli("retry", "boom").out == "job 2 is pending\n"
    assert cli("retry", "hello").out == "job 1 has completed: job 4 runs it again\n"
    assert cli("retry", "boom", "--as-was").code == 1
    assert ids(cli("retry", "hello", "-o", "json").json) == [5]


def test_wait(cli: Cli, ran: Path):
    assert cli("wait", "hello").code == 0
    both = cli("wait", "hello", "boom")
    assert both.code == 1
    assert both.out == "job 1 is completed\njob 2 is dead: exit code 3, after 1 attempt\n"
    assert ids(cli("wait", "boom", "-o", "json").json) == [2]
    late = cli("wait", "later", "--timeout", "50ms")
    assert (late.code, late.err) == (1, "queuectl: job 3 is still scheduled\n")


def test_purge(cli: Cli, ran: Path):
    assert cli("purge", "--older-than", "1h", "--yes").out == "0 jobs deleted\n"
    assert cli("purge", "--yes").out == "1 job deleted\n"
    assert ids(cli("list", "-o", "json").json) == [3, 2]
    assert cli("purge", "--state", "dead", "--yes").out == "1 job deleted\n"
    refused = cli("purge", "--state", "pending", "--yes")
    assert (refused.code, refused.out) == (2, "")


def test_dlq(cli: Cli, ran: Path):
    assert ids(cli("dlq", "list", "-o", "json").json) == [2]
    assert cli("dlq", "list").out.splitlines()[1].split()[:3] == ["2", "dead", "boom"]
    assert cli("dlq", "show", "2", "-o", "json").json["key"] == "boom"
    alive = cli("dlq", "show", "1")
    assert (alive.code, alive.err) == (1, "queuectl: job 1 is completed, not in the dead letter queue\n")
    assert cli("dlq", "retry", "boom").out == "job 2 is pending\n"
    assert cli("dlq", "retry", "2").code == 1
    empty = cli("dlq", "list")
    assert (empty.code, empty.out, empty.err) == (0, "", "the dead letter queue is empty\n")


def test_dlq_retry_all(cli: Cli, ran: Path):
    assert cli("dlq", "retry").code == 2
    assert cli("dlq", "retry", "2", "--all").code == 2
    assert cli("dlq", "retry", "--all", "--queue", "mail").out == "0 jobs sent back to pending\n"
    assert cli("dlq", "retry", "--all").out == "1 job sent back to pending\n"


def test_dlq_clear(cli: Cli, ran: Path):
    assert cli("dlq", "clear", "--yes", "--older-than", "1h").out == "0 dead jobs deleted\n"
    assert cli("dlq", "clear", "--yes").out == "1 dead job deleted\n"
    assert ids(cli("list", "-o", "json").json) == [3, 1]


def test_queues(cli: Cli, ran: Path):
    assert [queue["name"] for queue in cli("queue", "list", "-o", "json").json] == ["default", "mail"]
    assert cli("queue", "pause", "mail").out == "queue mail is paused\n"
    assert cli("queue", "pause", "mail").out == "queue mail is paused already\n"
    assert " by " in cli("queue", "list").out
    assert cli("queue", "pause", "mail", "--reason", "the server moves").code == 0
    assert ": the server moves" in cli("queue", "list").out
    assert cli("queue", "list", "-o", "json").json[1]["pause_reason"] == "the server moves"
    assert cli("queue", "resume", "mail").out == "queue mail is open\n"
    assert cli("queue", "clear", "mail", "--yes").out == "queue mail: 1 job cancelled\n"
    assert cli("queue", "clear", "--yes").out == "queue default: 0 jobs cancelled\n"
    unknown = cli("queue", "clear", "mial", "--yes")
    assert (unknown.code, unknown.err) == (1, "queuectl: there is no queue 'mial', did you mean 'mail'?\n")


def test_status(cli: Cli, ran: Path):
    status = cli("status", "-o", "json").json
    assert (status["jobs"]["total"], status["jobs"]["dead"], status["success_rate"]) == (3, 1, 0.5)
    shown = cli("status").out
    assert "success rate      50.0%\n" in shown
    assert "workers           none" in shown


def test_nothing_is_there_yet(cli: Cli, tmp_path: Path):
    for command in ("list", "dlq list", "queue list", "worker list", "spec list", "fires", "next"):
        result = cli(*command.split(), "-o", "json")
        assert (result.code, result.json) == (0, [])
        people = cli(*command.split())
        assert (people.code, people.out) == (0, "")
        assert people.err
    assert cli("status", "-o", "json").json["jobs"]["total"] == 0
    assert not (tmp_path / "queue.db").exists()


@pytest.mark.parametrize(
    "command",
    ["purge", "dlq clear", "queue clear", "config reset", "spec delete nightly", "apply empty --prune --allow-empty"],
)  # fmt: skip
def test_what_destroys_asks_first(cli: Cli, ran: Path, jobs_d: Path, command: str):
    (ran / "empty").mkdir()
    cli("config", "set", "max-retries", "7")
    cli("apply", "jobs.d", "--source", "mine")
    before = cli("list", "-o", "json").out + cli("spec", "list", "-o", "json").out
    words = [*command.split(), *(["--source", "mine"] if "apply" in command else [])]
    result = cli(*words)
    assert result.code == 2
    assert result.err.endswith("There is no terminal to ask on: say --yes\n")
    assert cli("list", "-o", "json").out + cli("spec", "list", "-o", "json").out == before
    assert cli("config", "get", "max-retries").out == "7\n"
    assert cli(*words, "--yes").code == 0
