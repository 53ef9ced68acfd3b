"""The shell protocol: what a job says of itself."""

from __future__ import annotations

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


def test_progress_is_seen_while_it_runs(queuectl: Queuectl) -> None:
    queuectl("enqueue", say("progress=0.4") + "; sleep 30")
    worker = queuectl.start("run")
    queuectl.wait_until(lambda: queuectl.states() == {1: "processing"}, "it runs")
    queuectl.wait_until(lambda: queuectl.json("get", "1")["progress"] == 0.4, "its progress is seen")
    queuectl("cancel", "1")
    queuectl.wait_until(lambda: queuectl.states() == {1: "cancelled"}, "it is stopped")
    worker.terminate()
    worker.wait(20)
