"""The shell protocol: what a job says of itself."""

from __future__ import annotations

from queuectl.rules.protocol import MAX_BYTES, MAX_FAULTS, parse_said
from tests.command import Queuectl


def say(*lines: str) -> str:
    return "; ".join(f'echo "{line}" >> $QUEUECTL_OUTPUT' for line in lines)


def test_outputs_reach_the_jobs_that_need_them(queuectl: Queuectl) -> None:
    queuectl.spec(
        "flow",
        "jobs:\n"
        f"  extract-shop: {{command: '{say('rows=42', 'file=/tmp/a b', 'summary=42 rows', 'progress=1')}'}}\n"
        "  load: {command: 'echo $NEEDS_EXTRACT_SHOP_ROWS, $NEEDS_EXTRACT_SHOP_FILE', needs: [extract-shop]}\n",
    )
    queuectl("apply", "jobs.d")
    queuectl("run", "--until-idle")
    assert queuectl("logs", "load") == "42, /tmp/a b\n"
    job = queuectl.json("get", "extract-shop")
    assert (job["outputs"], job["summary"], job["progress"]) == (
        {"rows": "42", "file": "/tmp/a b"},
        "42 rows",
        1.0,
    )
    assert "42 rows" in queuectl("get", "extract-shop")


def test_a_job_snoozes_and_cancels_itself(queuectl: Queuectl) -> None:
    first = f"[ $QUEUECTL_ATTEMPT = 2 ] || {{ {say('snooze=100ms')}; }}"
    queuectl("enqueue", first)
    queuectl("enqueue", say("cancel=nothing to do today"))
    worker = queuectl.start("run")
    queuectl.wait_until(lambda: queuectl.states() == {1: "completed", 2: "cancelled"}, "both are over")
    worker.terminate()
    worker.wait(20)
    first_job = queuectl.json("get", "1")
    assert [attempt["outcome"] for attempt in first_job["attempts"]] == ["snoozed", "succeeded"]
    assert first_job["failures"] == 0
    assert queuectl.json("get", "2")["reason"] == "by itself: nothing to do today"


def test_what_can_not_be_read_is_told_and_changes_nothing(queuectl: Queuectl) -> None:
    queuectl("enqueue", say("progress=2", "hello", "n=1"))
    queuectl("enqueue", "ln -s /etc/passwd $QUEUECTL_OUTPUT")
    queuectl("run", "--until-idle")
    (attempt,) = queuectl.json("get", "1")["attempts"]
    assert attempt["outcome"] == "succeeded"
    assert "QUEUECTL_OUTPUT, line 1: progress: expected a number from 0 to 1, found '2'" in attempt["error"]
    assert "line 2: expected key=value" in attempt["error"]
    assert queuectl.json("get", "1")["outputs"] == {"n": "1"}
    assert queuectl.json("get", "2")["outputs"] == {}


def test_whatever_a_job_puts_there_the_next_one_is_heard(queuectl: Queuectl) -> None:
    for what in ("mkdir -p $QUEUECTL_OUTPUT/in", "mkfifo $QUEUECTL_OUTPUT", "ln -s kept $QUEUECTL_OUTPUT"):
        queuectl("enqueue", what)
        queuectl("enqueue", say("n=1"))
    queuectl("run", "--until-idle", "--slots", "1")
    assert set(queuectl.states().values()) == {"completed"}
    assert [queuectl.json("get", job)["outputs"] for job in ("2", "4", "6")] == [{"n": "1"}] * 3
    assert list((queuectl.folder / "q.logs").iterdir()) == []


def test_lines_that_are_none_and_a_file_that_is_too_long() -> None:
    said = parse_said(b"a=1\r\nb=x\x0cy\xe2\x80\xa8z\nn=a\0b\n" + b"?\n" * 10 + b"c=" + b"3" * MAX_BYTES)
    assert said.outputs == {"a": "1", "b": "x\x0cy\u2028z"}
    first, *others, more, last = said.faults
    assert first == "QUEUECTL_OUTPUT, line 3: n: a NUL character can't be passed on"
    assert len(others) == MAX_FAULTS - 1
    assert more == "6 more lines could not be read"
    assert last == "QUEUECTL_OUTPUT: expected at most 65,536 bytes; what follows was not read"


def test_progress_is_seen_while_it_runs(queuectl: Queuectl) -> None:
    queuectl("enqueue", say("progress=0.4") + "; sleep 30")
    worker = queuectl.start("run")
    queuectl.wait_until(lambda: queuectl.states() == {1: "processing"}, "it runs")
    queuectl.wait_until(lambda: queuectl.json("get", "1")["progress"] == 0.4, "its progress is seen")
    queuectl("cancel", "1")
    queuectl.wait_until(lambda: queuectl.states() == {1: "cancelled"}, "it is stopped")
    worker.terminate()
    worker.wait(20)
