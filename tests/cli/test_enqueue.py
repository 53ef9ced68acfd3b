"""`queuectl enqueue`, in all its spellings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, clean_environment, wait_until


def test_a_command(cli: Cli, tmp_path: Path):
    assert cli("enqueue", "echo hi").out == "job 1 enqueued\n"
    job = cli("get", "1", "-o", "json").json
    assert (job["command"], job["state"], job["queue"], job["cwd"]) == (
        "echo hi",
        "pending",
        "default",
        str(tmp_path),
    )


def test_several_words_are_a_program_and_its_arguments(cli: Cli):
    cli("enqueue", "--priority", "5", "--", "pg_dump", "-Fc", "main")
    job = cli("list", "-o", "json").json[0]
    assert (job["command"], job["priority"]) == (["pg_dump", "-Fc", "main"], 5)


def test_every_option(cli: Cli, tmp_path: Path):
    (tmp_path / "here").mkdir()
    options = [
        "--priority",
        "-7",
        "--max-retries",
        "5",
        "--timeout",
        "90",
        "--run-at",
        "2099-01-01T00:00:00+02:00",
    ]
    options += ["--queue", "mail", "--key", "k", "--env", "A=1", "--env", "B=x=y", "--cwd", "here"]
    cli("enqueue", "--command", "date", *options)
    job = cli("get", "k", "-o", "json").json
    wanted = {
        "command": "date", "priority": -7, "max_retries": 5, "timeout": "1m30s", "run_at": "2098-12-31T22:00:00Z",
        "state": "scheduled", "queue": "mail", "key": "k", "env": {"A": "***", "B": "***"},
        "cwd": str(tmp_path / "here"),
    }  # fmt: skip
    assert {name: job[name] for name in wanted} == wanted


def test_a_job_of_a_spec(cli: Cli, tmp_path: Path):
    spec = tmp_path / "export.yaml"
    spec.write_text("command: x\nparams: {DAY: {type: string, format: date}}\n")
    cli("apply", "export.yaml")
    assert cli("enqueue", "--spec", "export", "--set", "DAY=2026-03-01").out == "job 1 enqueued\n"
    later = cli("enqueue", "--spec", "export", "--set", "DAY=2026-03-02", "--delay", "1h", "-o", "json").json
    assert (later["id"], later["spec"], later["state"]) == (2, "export", "scheduled")
    for words, says in {
        ("--set", "DAY=2026-13-01"): "spec 'export': DAY: '2026-13-01' is not a 'date'",
        ("--set", "DAI=x"): "spec 'export': no parameter 'DAI', did you mean 'DAY'?; DAY has to be set",
        ("--priority", "0"): "--spec: the spec says what its jobs are; found priority as well",
        ("true",): "--spec: the spec says what its jobs are; found command as well",
        ("--needs", "1"): "--spec: the spec says what its jobs are; found needs as well",
    }.items():
        refused = cli("enqueue", "--spec", "export", *words)
        assert (refused.code, refused.out, says in refused.err) == (2, "", True), refused
    assert (
        cli("enqueue", "--spec", "exprt").err
        == "queuectl: there is no spec 'exprt', did you mean 'export'?\n"
    )
    assert cli("enqueue", "true", "--set", "DAY=x").code == 2
    assert len(cli("list", "-o", "json").json) == 2


def test_delay(cli: Cli):
    cli("enqueue", "date", "--delay", "1000h")
    assert cli("list", "--state", "scheduled", "-o", "json").json[0]["id"] == 1


def test_run_at_without_an_offset_is_in_the_configured_zone(cli: Cli):
    cli("config", "set", "timezone", "Europe/Berlin")
    cli("enqueue", "date", "--run-at", "2099-07-01 12:00")
    assert cli("list", "-o", "json").json[0]["run_at"] == "2099-07-01T10:00:00Z"


def test_json_with_the_spellings_from_elsewhere(cli: Cli):
    result = cli("enqueue", '{"id": "job1", "command": "date", "max_retries": 5}')
    assert result.out == "job 1 enqueued\n"
    job = cli("get", "job1", "-o", "json").json
    assert (job["key"], job["command"], job["max_retries"]) == ("job1", "date", 5)


def test_options_win_over_json(cli: Cli):
    value = {"command": "date", "max_retries": 5, "id": "a", "env": {"A": "1", "B": "1"}, "queue": "x"}
    cli("enqueue", json.dumps(value), "--max-retries", "1", "--key", "b", "--env", "B=2", "--queue", "y")
    job = cli("get", "1", "-o", "json").json
    assert (job["max_retries"], job["key"], job["queue"], sorted(job["env"])) == (1, "b", "y", ["A", "B"])


def test_json_from_a_file(cli: Cli, tmp_path: Path):
    (tmp_path / "job.json").write_text('{"command": "date", "priority": 3}')
    cli("enqueue", "--file", "job.json")
    (tmp_path / "jobs.json").write_text('[{"command": "a"}, {"command": "b"}]')
    cli("enqueue", "--file", "jobs.json")
    cli("enqueue", "--file", "-", stdin='{"command": "c"}')
    assert [job["command"] for job in cli("list", "-o", "json").json] == ["c", "b", "a", "date"]


def test_the_shell_s_braces_are_no_json(cli: Cli):
    assert cli("enqueue", "{ echo hi; }").code == 0
    assert cli("list", "-o", "json").json[0]["command"] == "{ echo hi; }"


def test_lines_of_stdin(cli: Cli):
    lines = 'echo one\n\n{"command": "echo two", "id": "two"}\r\n  echo drei ü  '
    result = cli("enqueue", "-", "--queue", "bulk", stdin=lines)
    assert result.out == "3 jobs enqueued (1–3)\n"
    jobs = cli("list", "-o", "json").json
    assert [job["command"] for job in jobs] == ["echo drei ü", "echo two", "echo one"]
    assert {job["queue"] for job in jobs} == {"bulk"}
    assert (
        cli("enqueue", "-", stdin='{"command": "echo two", "id": "two"}').out
        == "0 jobs enqueued, 1 job known by key\n"
    )
    assert [job["command"] for job in cli("enqueue", "-", "-o", "json", stdin="a\nb").json] == ["a", "b"]
    assert cli("enqueue", "-", stdin="").out == "0 jobs enqueued\n"


def test_ten_thousand_lines(cli: Cli):
    result = cli("enqueue", "-", stdin="".join(f"echo {number}\n" for number in range(10_000)))
    assert result.out == "10,000 jobs enqueued (1–10000)\n"


def test_a_slow_producer_is_not_waited_for(cli: Cli, tmp_path: Path):
    process = subprocess.Popen(
        [sys.executable, "-m", "queuectl", "enqueue", "-"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=clean_environment(tmp_path), cwd=tmp_path,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(b"echo first\n")
    process.stdin.flush()
    wait_until(lambda: cli("list", "-o", "json").json, "the first line's job")
    out, _ = process.communicate(b"echo second\n", timeout=20)
    assert out == "2 jobs enqueued (1–2)\n".encode()


@pytest.mark.parametrize(
    ("stdin", "says"),
    [
        ("date\n{\"command\": }\n", "line 2: the JSON breaks at line 1, column 13"),
        ("date\n{\"comand\": \"x\"}\n", "line 2: "),
        (b"date\n\xff\n", "line 2 is not UTF-8"),
        ("x" * 140_000, "line 1: command: expected at most 131,071 bytes"),
    ],
)  # fmt: skip
def test_a_bad_line_is_named_and_nothing_is_enqueued(cli: Cli, stdin: str | bytes, says: str):
    result = cli("enqueue", "-", stdin=stdin)
    assert (result.code, result.out) == (2, "")
    assert says in result.err
    assert cli("list", "-o", "json").json == []


def test_broken_json_is_shown_with_its_place(cli: Cli):
    result = cli("enqueue", '{"command": "date", "priority": }')
    assert result.code == 2
    assert result.err == (
        "queuectl: the JSON breaks at line 1, column 33: expecting value\n"
        '  {"command": "date", "priority": }\n'
        "                                  ^\n"
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["{'command': 'date'}"], "the JSON breaks at line 1, column 2"),
        (['{"command": "a", "command": "b"}'], "gives 'command' twice"),
        (['{"command": "a", "priority": NaN}'], "NaN, which is no number"),
        (['{"command": "a", "priorty": 1}'], "did you mean"),
        (['{"priority": 1}'], "command"),
        (['[{"command": "a"}]'], "expected a JSON object such as"),
        (["--file", "-"], "-: the JSON breaks at line 1, column 1"),
        (["{" * 3 + '"a":' * 9], "the JSON breaks"),
        (['{"a":' + "[" * 100_000], "the JSON is nested too deep"),
        (["-", "--key", "k"], "--key names one job"),
        (["--file", "job.json"], "job.json: No such file"),
        (["--file", "."], "found a folder"),
        (["date", "--command", "date"], "expected one of COMMAND, --file and --command"),
        ([], "expected a COMMAND"),
        ([""], "expected what to run"),
        (["--command", ""], "expected what to run"),
        (["pg_dump", "-Fc"], "no such option"),
        (["date", "--priority", "1001"], "1001"),
        (["date", "--max-retries", "-1"], "-1"),
        (["date", "--timeout", "soon"], "--timeout: expected a duration"),
        (["date", "--timeout", "0"], "--timeout: expected a duration"),
        (["date", "--run-at", "2026-02-30"], "--run-at: day of 2026-02"),
        (["date", "--delay", "1h", "--run-at", "2026-03-30"], "exclude each other"),
        (["date", "--env", "FOO"], "expected NAME=VALUE, found 'FOO'"),
        (["date", "--queue", "a b"], "queue: expected a name"),
        (["date", "--cwd", "nowhere"], "there is no folder"),
        (["date", "--key", ""], "key: expected"),
        (["date\0"], "NUL"),
    ],
)  # fmt: skip
def test_what_can_t_be_used_is_a_usage_error(cli: Cli, arguments: list[str], says: str):
    result = cli("enqueue", *arguments)
    assert (result.code, result.out) == (2, "")
    assert says in result.err
    assert result.err.startswith("queuectl: ")
    assert cli("list", "-o", "json").json == []


def test_a_key_is_enqueued_once(cli: Cli):
    cli("enqueue", "date", "--key", "k")
    assert cli("enqueue", "date", "--key", "k").out == "job 1 has this key already; it is pending\n"
    other = cli("enqueue", "cal", "--key", "k")
    assert (other.code, other.out) == (1, "")
    assert "job 1" in other.err


def test_wait_runs_to_the_end(cli: Cli, tmp_path: Path):
    def work() -> None:
        subprocess.run(
            [sys.executable, "-m", "queuectl", "run", "--until-idle"],
            env=clean_environment(tmp_path), check=False, capture_output=True,
        )  # fmt: skip

    cli("enqueue", "true")
    cli("enqueue", "sleep 0.5")
    worker = threading.Thread(target=work)
    worker.start()
    result = cli("enqueue", "exit 4", "--max-retries", "0", "--wait")
    worker.join()
    assert result.code == 1
    assert result.out == "job 3 enqueued\njob 3 is dead: exit code 4, after 1 attempt\n"


def test_the_current_folder_is_gone(cli: Cli, tmp_path: Path):
    (tmp_path / "gone").mkdir()
    os.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    result = cli("enqueue", "date")
    assert result.code == 2
    assert result.err == "queuectl: the current folder is not there any more; name one with --cwd\n"
    assert cli("enqueue", "date", "--cwd", str(tmp_path)).code == 0


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ('true\n\n{"command": "true", "cwd": "/nowhere/at/all"}\n', "line 3: cwd: there is no folder"),
        ('{"command": "a", "key": "k"}\n{"command": "b", "key": "k"}\n', "line 2: the key 'k'"),
        ('true\n{"command": "a\\u0000b"}\n', "line 2: command: a NUL"),
    ],
)
def test_what_the_queue_has_against_a_line_names_it(cli: Cli, lines: str, says: str):
    result = cli("enqueue", "-", stdin=lines)
    assert result.code in {1, 2}
    assert says in result.err
    assert "nothing was enqueued" in result.err
    assert cli("list", "-o", "json").json == []


def test_what_the_queue_has_against_an_entry_names_it(cli: Cli, tmp_path: Path):
    (tmp_path / "jobs.json").write_text('[{"command": "a"}, {"command": "b", "cwd": "/nowhere/at/all"}]')
    result = cli("enqueue", "--file", "jobs.json")
    assert (result.code, result.out) == (2, "")
    assert "jobs.json, entry 2: cwd: there is no folder" in result.err


def test_a_byte_order_mark_before_lines_is_no_part_of_the_command(cli: Cli):
    cli("enqueue", "-", stdin=b'\xef\xbb\xbfecho 1\n{"command": "echo 2"}\n')
    assert [job["command"] for job in cli("list", "-o", "json").json] == ["echo 2", "echo 1"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["-", "x"], "- stands alone"),
        (["--env", "QUEUECTL_DB=x", "true"], "QUEUECTL_…"),
        (['{"id": 7, "command": "true"}'], "found 7"),
        (
            ['{"command": "true", "retries": ' + "9" * 5000 + "}"],
            "a number of 5000 digits; expected at most 300",
        ),
        (
            ['{"command": "true", "env": {"A": ' + "9" * 301 + "}}"],
            "a number of 301 digits; expected at most 300",
        ),
        *(
            ([f'{{"command": "true", "{name}": ' + "9" * 300 + "}"], name)
            for name in ("retries", "timeout", "priority", "max_log", "kill_after")
        ),
    ],
)
def test_what_can_t_be_enqueued(cli: Cli, words: list[str], says: str):
    result = cli("enqueue", *words)
    assert (result.code, result.out) == (2, "")
    assert says in result.err
