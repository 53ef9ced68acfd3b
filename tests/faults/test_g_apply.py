"""G: apply. All or nothing, whoever else applies or works, and nothing goes that nobody asked to go."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import apsw
import pytest

from queuectl.model.job import Job
from queuectl.specs.faults import Fault
from queuectl.specs.files import SpecFile, read_bytes
from queuectl.store.store import Store
from tests.command import Queuectl
from tests.faults.machine import small_disk
from tests.faults.measured import Measured, measured
from tests.faults.ordinary import hand_over, ordinary_users_queue
from tests.faults.pace import SLACK_S, SOAK_MINUTES
from tests.faults.tracing import killed_at_each

INVALID = 3
POLL_MS = 100
NIGHTLY = "command: 'true'\nschedule: '0 2 * * *'\n"
PRUNE = ("--prune", "--yes")


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """Make a folder hold these files and no others."""
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder


def names(queuectl: Queuectl) -> set[str]:
    return queuectl.look(lambda store: {stored.name for stored in store.specs.list()})


def commands(queuectl: Queuectl) -> dict[str, Any]:
    return queuectl.look(lambda store: {stored.name: stored.spec.command for stored in store.specs.list()})


def fingerprint(queuectl: Queuectl) -> str:
    """Of the database's bytes: nobody has it open."""
    return sha256(queuectl.db.read_bytes()).hexdigest()


def content(queuectl: Queuectl) -> list[tuple[Any, ...]]:
    """Specs and jobs without the times."""

    def look(store: Store) -> list[tuple[Any, ...]]:
        assert apsw.Connection(str(queuectl.db)).pragma("integrity_check") == "ok"
        specs = [
            (one.name, one.source, one.version, one.pruned_at is None, one.spec.command, one.orphaned)
            for one in store.specs.list(pruned=True)
        ]
        jobs = [(job.id, job.spec, job.state, job.frozen.command, job.reason) for job in store.jobs.list()]
        return [*specs, *sorted(jobs)]

    return queuectl.look(look)


def test_g01_of_two_applies_at_once_one_wins_whole(queuectl: Queuectl) -> None:
    once, nightly = "command: {}\n", "command: {}\nschedule: '0 2 * * *'\n"
    sets = [
        {f"s{n}": once.format(f"a{n}") for n in range(12)},
        {f"s{n}": nightly.format(f"b{n}") for n in range(6, 18)},
    ]
    wholes = [{f"s{n}": f"a{n}" for n in range(12)}, {f"s{n}": f"b{n}" for n in range(6, 18)}]
    folders = [write(queuectl.folder / f"set{n}", files) for n, files in enumerate(sets)]

    for _ in range(50 if SOAK_MINUTES else 10):
        both = [queuectl.start("apply", str(folder), "--source", "both", *PRUNE) for folder in folders]
        assert {process.wait(queuectl.deadline_s) for process in both} <= {0, 4}
        assert commands(queuectl) in wholes

    for done in queuectl.look(lambda store: store.jobs.list(limit=1000)):
        assert done.state == "cancelled" or done.frozen.command == commands(queuectl)[done.spec or ""]


def test_g02_what_runs_keeps_its_command_and_the_next_takes_the_new_one(queuectl: Queuectl) -> None:
    old = "command: echo old $$; while [ ! -e go ]; do sleep 0.05; done; echo old is over\n"
    folder = write(queuectl.folder / "jobs.d", {f"s{n}": old + "cwd: ..\n" for n in range(4)})
    queuectl("apply", "jobs.d")
    queuectl.start("run", "--processes", "4", "--slots", "1")
    queuectl.wait_until(lambda: list(queuectl.states().values()) == ["processing"] * 4, "all four run")

    write(folder, {f"s{n}": "command: echo new\ncwd: ..\n" for n in range(4)})
    queuectl("apply", "jobs.d")

    assert sorted(queuectl.states().values()) == ["blocked"] * 4 + ["processing"] * 4
    (queuectl.folder / "go").touch()
    queuectl.wait_until(lambda: list(queuectl.states().values()) == ["completed"] * 8, "all eight completed")
    for job in queuectl.json("list"):
        said = queuectl("logs", str(job["id"]))
        assert said == "new\n" if job["id"] > 4 else said.endswith("old is over\n"), job


@pytest.mark.parametrize("exists", [True, False])
def test_g03_an_apply_that_is_killed_at_any_sync_is_all_or_nothing(queuectl: Queuectl, exists: bool) -> None:
    folder = write(
        queuectl.folder / "jobs.d", {"same": NIGHTLY, "gone": "command: 'true'\n", "other": NIGHTLY}
    )
    before: bytes | None = None
    nothing: list[tuple[Any, ...]] = []
    if exists:
        queuectl("apply", "jobs.d")
        before, nothing = queuectl.db.read_bytes(), content(queuectl)
    write(folder, {"same": NIGHTLY, "other": "command: 'false'\n", **{f"new{n}": NIGHTLY for n in range(50)}})

    ends = []
    for _, done in killed_at_each(queuectl, "fdatasync", "apply", "jobs.d", *PRUNE):
        ends.append((done.returncode, content(queuectl)))
        put_back(queuectl, before)

    *killed, (code, whole) = ends
    assert code == 0
    assert whole != nothing
    assert killed
    assert killed[0][1] == nothing
    assert all(end in (nothing, whole) for _, end in killed)


def put_back(queuectl: Queuectl, before: bytes | None) -> None:
    """Bring the database back to what it was."""
    for path in queuectl.folder.glob("q.db*"):
        if path.is_file():
            path.unlink()
    if before is not None:
        queuectl.db.write_bytes(before)
        queuectl.db.chmod(0o600)


class Many(NamedTuple):
    """A folder of 10,000 files, and the queue that they were applied to."""

    queuectl: Queuectl
    folder: Path
    first: Measured


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Many]:
    queuectl = Queuectl(tmp_path_factory.mktemp("many"))
    queuectl.deadline_s = 180
    folder = queuectl.folder / "jobs.d"
    for part in range(100):
        (folder / f"part{part}").mkdir(parents=True)
    for number in range(10_000):
        text = f"description: Number {number}\ncommand: echo {number}\nretries: 2\nenv: {{N: {number}}}\n"
        when = "" if number % 10 == 0 else f"schedule: '{number % 60} {number % 24} * * *'\n"
        (folder / f"part{number % 100}" / f"job{number}.yaml").write_text(text + when)
    yield Many(queuectl, folder, measured(queuectl, "apply", "jobs.d"))
    queuectl.end()
    shutil.rmtree(queuectl.folder)


@pytest.mark.timeout(300)
def test_g04_ten_thousand_files_are_applied_in_bounds(many: Many) -> None:
    assert many.first.code == 0, many.first.err
    assert many.first.cpu_s < 30
    assert many.first.rss_mib < 500
    assert len(names(many.queuectl)) == 10_000
    before = fingerprint(many.queuectl)

    again = measured(many.queuectl, "apply", "jobs.d")

    assert (again.code, again.out) == (0, "= 10,000 unchanged\napplied: 10,000 unchanged\n"), again
    assert again.cpu_s < 5
    assert again.rss_mib < 500
    assert fingerprint(many.queuectl) == before


@pytest.mark.timeout(300)
def test_g06_one_bad_file_of_ten_thousand_and_nothing_changes(many: Many) -> None:
    before = fingerprint(many.queuectl)
    bad = {
        "part7/job7.yaml": "command: echo 7\nretries: many\nschedul: '@daily'\n",
        "part8/job4008.yaml": "command: echo 4008\ntimeout: -1\n",
        "part9/new.yaml": "name: job9\ncommand: echo 9\n",
    }
    good = {name: many.folder / name for name in bad}
    kept = {path: path.read_text() for path in good.values() if path.exists()}
    try:
        for name, text in bad.items():
            good[name].write_text(text)
        done = measured(many.queuectl, "apply", "jobs.d", *PRUNE)
    finally:
        for path in good.values():
            path.unlink()
        for path, text in kept.items():
            path.write_text(text)

    assert (done.code, done.out) == (INVALID, ""), done
    assert [line for line in done.err.splitlines() if not line.startswith(" ")] == [
        "jobs.d/part7/job7.yaml:2:10: retries: expected an integer from 0 to 1000; found 'many'",
        "jobs.d/part7/job7.yaml:3:1: unknown field 'schedul', did you mean 'schedule'?",
        "jobs.d/part8/job4008.yaml:2:10: timeout: expected a duration like 30s or 1h30m, or none; found -1",
        "jobs.d/part9/new.yaml:1:7: the name 'job9' is taken by jobs.d/part9/job9.yaml:1; names are unique",
        "4 errors in 3 files; nothing was changed",
    ]
    assert fingerprint(many.queuectl) == before


def test_g05_what_is_empty_wrong_or_mistyped_takes_nothing_away(queuectl: Queuectl) -> None:
    folder = write(queuectl.folder / "jobs.d", {"a": NIGHTLY, "b": NIGHTLY})
    queuectl("apply", "jobs.d")

    typo = queuectl.run("apply", "job.d", *PRUNE)
    assert (typo.returncode, typo.stderr.splitlines()[0]) == (INVALID, "job.d: no such file or folder")

    write(queuectl.folder / "other", {"c": NIGHTLY})
    queuectl("apply", "other", *PRUNE)
    assert names(queuectl) == {"a", "b", "c"}
    write(queuectl.folder / "other", {"a": NIGHTLY})
    wrong = queuectl.run("apply", "other", *PRUNE)
    assert (wrong.returncode, names(queuectl)) == (1, {"a", "b", "c"})
    assert "'a': held by the source" in wrong.stderr

    write(folder, {})
    (folder / "README.md").write_text("moved\n")
    (folder / "_defaults.yaml").write_text("retries: 1\n")
    empty = queuectl.run("apply", "jobs.d", *PRUNE)
    assert (empty.returncode, names(queuectl)) == (1, {"a", "b", "c"})
    assert "say --allow-empty" in empty.stderr
    left = queuectl.json("apply", "jobs.d")
    assert (left["orphaned"], left["pruned"], names(queuectl)) == (["a", "b"], [], {"a", "b", "c"})

    queuectl("apply", "jobs.d", *PRUNE, "--allow-empty")
    assert names(queuectl) == {"c"}


def test_g05_a_folder_that_is_not_mounted_takes_nothing_away(queuectl: Queuectl) -> None:
    with small_disk(queuectl.folder / "jobs.d") as folder:
        write(folder, {"a": NIGHTLY})
        queuectl("apply", "jobs.d")

    unmounted = queuectl.run("apply", "jobs.d", *PRUNE)

    assert (unmounted.returncode, names(queuectl)) == (1, {"a"})
    assert "no spec found there, so that all 1 of the source" in unmounted.stderr


def test_g07_the_same_files_again_change_nothing(queuectl: Queuectl) -> None:
    files = {
        "nightly": NIGHTLY,
        "tick": "command: 'true'\nschedule: {every: 12h, jitter: 10m}\n",
        "later": "command: 'true'\nrun_at: 2099-01-01T00:00:00Z\n",
        "broken": "command: exit 7\nretries: 0\n",
    }
    folder = write(queuectl.folder / "jobs.d", files)
    queuectl("apply", "jobs.d")
    queuectl("run", "--until-idle", code=1)
    queuectl("spec", "pause", "nightly")
    assert [job["spec"] for job in queuectl.json("dlq", "list")] == ["broken"]
    before = fingerprint(queuectl)

    for path in folder.iterdir():
        os.utime(path)
    again = queuectl("apply", "jobs.d", *PRUNE)

    assert again == "= 4 unchanged\napplied: 4 unchanged\n"
    assert fingerprint(queuectl) == before


def test_g08_a_spec_that_is_removed_takes_only_its_waiting_jobs_along(queuectl: Queuectl) -> None:
    files = {
        "runs": "command: while [ ! -e go ]; do sleep 0.05; done; echo done\ncwd: ..\n",
        "waits": "command: 'true'\nrun_at: 2099-01-01T00:00:00Z\n",
        "dead": "command: echo hopeless; exit 7\nretries: 0\n",
    }
    folder = write(queuectl.folder / "jobs.d", files)
    queuectl("apply", "jobs.d")
    queuectl.start("run")
    ids = {job["spec"]: str(job["id"]) for job in queuectl.json("list")}

    def states() -> dict[str, str]:
        return {name: queuectl.states()[int(job)] for name, job in ids.items()}

    queuectl.wait_until(
        lambda: states() == {"runs": "processing", "waits": "scheduled", "dead": "dead"}, "one of each"
    )
    write(folder, {"stays": NIGHTLY})
    queuectl("apply", "jobs.d", *PRUNE)

    assert (names(queuectl), states()["waits"]) == ({"stays"}, "cancelled")
    assert queuectl.json("get", ids["waits"])["reason"] == "its spec was pruned"
    (queuectl.folder / "go").touch()
    queuectl.wait_until(lambda: states()["runs"] == "completed", "what ran completes")
    assert queuectl("logs", ids["runs"]) == "done\n"
    assert [job["spec"] for job in queuectl.json("dlq", "list")] == ["dead"]
    assert queuectl("logs", ids["dead"]) == "hopeless\n"


def test_g09_a_name_in_two_files_names_both(queuectl: Queuectl) -> None:
    write(queuectl.folder / "jobs.d", {"a": f"# first\nname: same\n{NIGHTLY}", "b": f"name: same\n{NIGHTLY}"})
    write(queuectl.folder / "more", {"c": "jobs:\n  other: {command: x}\n  same: {command: y}\n"})

    done = queuectl.run("apply", "jobs.d", "more")

    assert (done.returncode, done.stdout, queuectl.db.exists()) == (INVALID, "", False)
    assert "jobs.d/b.yaml:1:7: the name 'same' is taken by jobs.d/a.yaml:2; names are unique\n" in done.stderr
    assert "more/c.yaml:3:3: the name 'same' is taken by jobs.d/a.yaml:2; names are unique\n" in done.stderr


def test_g10_needs_that_can_not_be_are_refused_with_their_places(queuectl: Queuectl) -> None:
    ring = {f"r{n:03}": f"command: x\nneeds: [r{(n + 1) % 1000:03}]\n" for n in range(1000)}
    two = {
        "a": "command: x\nneeds: [b]\n",
        "b": "command: x\nneeds: [c, {job: a, on: dead}]\n",
        "c": "command: x\n",
    }
    typo = {"down": "command: x\nneeds: [selff]\n", "self": "command: x\nneeds: [self]\n"}
    write(queuectl.folder / "jobs.d", {**ring, **two, **typo})
    done = queuectl.run("apply", "jobs.d")
    assert (done.returncode, done.stdout, queuectl.db.exists()) == (INVALID, "", False)
    circle = "needs: these need each other in a circle:"
    for line in (
        f"jobs.d/a.yaml:2:9: {circle} a → b → a\n",
        f"jobs.d/self.yaml:2:9: {circle} self → self\n",
        f"jobs.d/r000.yaml:2:9: {circle} r000 → r001 → r002 → ",
        "jobs.d/down.yaml:2:9: needs: there is no job 'selff', did you mean 'self'?\n    2 | needs: [selff]\n",
        "4 errors in 4 files; nothing was changed\n",
    ):
        assert line in done.stderr


def test_g10_a_circle_that_an_unchanged_file_closes_has_its_place(queuectl: Queuectl) -> None:
    files = {"a": "command: x\n", "b": "command: x\n\nneeds: [a]\n"}
    queuectl("apply", str(write(queuectl.folder / "jobs.d", files)))
    before = fingerprint(queuectl)
    write(queuectl.folder / "jobs.d", {**files, "a": "command: x\nneeds: [b]\n"})
    done = queuectl.run("apply", "jobs.d")
    assert (done.returncode, fingerprint(queuectl)) == (INVALID, before)
    assert "jobs.d/a.yaml:2:9: needs: these need each other in a circle: a → b → a\n" in done.stderr
    write(queuectl.folder / "jobs.d", {"b": files["b"]})
    done = queuectl.run("apply", "jobs.d", *PRUNE)
    assert (done.returncode, fingerprint(queuectl)) == (INVALID, before)
    assert "jobs.d/b.yaml:3:9: needs: there is no job 'a'" in done.stderr


def test_g10_a_chain_of_5000_is_applied(queuectl: Queuectl) -> None:
    chain = [f"  c{n}: {{command: 'true', needs: [c{n - 1}]}}\n" for n in range(1, 5000)]
    write(queuectl.folder / "jobs.d", {"chain": "jobs:\n  c0: {command: 'true'}\n" + "".join(chain)})
    queuectl("apply", "jobs.d")
    jobs = queuectl.json("status")["jobs"]
    assert (jobs["total"], jobs["pending"], jobs["blocked"]) == (5000, 1, 4999)


def test_g13_what_needs_a_dead_job_is_shown_as_blocked_by_it(queuectl: Queuectl) -> None:
    files = {
        "up": "command: '[ -e mended ]'\nretries: 0\n",
        "down": "command: 'true'\nneeds: [up]\n",
        "below": "command: 'true'\nneeds: [down]\n",
    }
    write(queuectl.folder / "jobs.d", files)
    queuectl("apply", "jobs.d")
    queuectl("run", "--until-idle", code=1)
    jobs = {job["spec"]: job for job in queuectl.json("list")}
    assert {spec: job["state"] for spec, job in jobs.items()} == {
        "up": "dead",
        "down": "blocked",
        "below": "blocked",
    }
    assert f"needs job {jobs['up']['id']}, which is dead" in jobs["down"]["reason"]
    assert f"queuectl retry {jobs['up']['id']}\n" in queuectl("why", "down")
    (queuectl.folder / "jobs.d" / "mended").touch()
    queuectl("dlq", "retry", "up")
    queuectl("run", "--until-idle")
    assert set(queuectl.states().values()) == {"completed"}


REWRITER = """
import sys, time
texts = [f"command: echo {letter * 400_000}\\n".encode() for letter in "ab"]
while True:
    for text in texts * 10:
        with open(sys.argv[1], "wb", buffering=0) as file:
            file.write(text)
    time.sleep(0.1)
"""


def test_g11_a_file_that_is_rewritten_meanwhile_is_read_whole_or_refused(queuectl: Queuectl) -> None:
    """A write takes its time: its first part is there alone for a while."""
    path = write(queuectl.folder / "jobs.d", {}) / "busy.yaml"
    path.touch()
    whole = {f"command: echo {letter * 400_000}\n".encode() for letter in "ab"}
    writer = subprocess.Popen([sys.executable, "-c", REWRITER, path], text=True)
    queuectl.started.append(writer)
    queuectl.wait_until(lambda: path.stat().st_size, "the first version")

    file = SpecFile(path, "jobs.d/busy.yaml", "jobs.d/busy.yaml")
    read = refused = 0
    until = time.monotonic() + 2
    while time.monotonic() < until or not (read and refused):
        found = read_bytes(file)
        if isinstance(found, Fault):
            refused += 1
            assert found.message == "was written to while it was read; run the command again"
        elif found:  # else it is empty for the moment, which is refused as that
            read += 1
            assert found in whole
    done = queuectl.run("apply", "jobs.d")

    assert (done.returncode, queuectl.db.exists()) == (
        INVALID,
        False,
    )  # 400,000 are more than a command may have
    assert (
        "run the command again" in done.stderr
        or "the file is empty" in done.stderr
        or "131,071" in done.stderr
    )


def test_g12_to_look_changes_nothing(queuectl: Queuectl) -> None:
    with ordinary_users_queue() as nobodys:
        folder = write(nobodys.folder / "jobs.d", {"a": NIGHTLY, "b": NIGHTLY})
        hand_over(nobodys)
        nobodys("apply", "jobs.d")
        write(folder, {"a": NIGHTLY + "retries: 1\n", "c": "command: 'true'\n"})
        hand_over(nobodys)
        before = fingerprint(nobodys)
        nobodys.db.chmod(0o444)
        nobodys.folder.chmod(0o555)

        plan = nobodys.json("apply", "jobs.d", "--dry-run", "--prune")
        difference = nobodys.json("diff", "jobs.d", "--prune", code=1)
        nobodys("validate", "jobs.d")
        refused = nobodys.run("apply", "jobs.d", *PRUNE)

        assert plan == difference
        assert [one["name"] for one in (*plan["created"], *plan["updated"])] == ["c", "a"]
        assert plan["pruned"] == ["b"]
        assert refused.returncode == 4
        assert fingerprint(nobodys) == before
        assert sorted(path.name for path in nobodys.folder.glob("q.db*")) == ["q.db"]


def test_g14_a_changed_schedule_holds_from_its_apply_on(queuectl: Queuectl) -> None:
    """Its jobs allow each other, and each instant of the two rhythms is looked at."""
    tick = "command: echo {0}\nschedule: {{every: {0}ms, overlap: allow, catch_up: all}}\n"
    queuectl.spec("tick", tick.format(200))
    queuectl("apply", "jobs.d")
    queuectl.start("run")

    def jobs(*, since: int = 0) -> list[Job]:
        found = queuectl.look(lambda store: store.jobs.list(limit=1000))
        return sorted((job for job in found if (job.fire_at or 0) > since), key=lambda job: job.fire_at or 0)

    queuectl.wait_until(lambda: len(jobs()) >= 3, "three fires of the old schedule")
    queuectl.spec("tick", tick.format(500))
    queuectl("apply", "jobs.d")
    stored = queuectl.look(lambda store: store.specs.get("tick"))
    assert stored is not None
    queuectl.wait_until(lambda: len(jobs(since=stored.updated_at)) >= 3, "three fires of the new one")

    fired = jobs()  # looked at once: they go on
    new = [job for job in fired if (job.fire_at or 0) > stored.updated_at]
    old = [job.fire_at or 0 for job in fired if job not in new]
    due = [job.fire_at or 0 for job in new]
    for fires, every in ((old, 200), (due, 500)):
        assert fires == list(range(fires[0], fires[-1] + 1, every))
        assert (fires[0] - stored.created_at) % every == 0
    assert due[0] - stored.updated_at <= 500
    assert {job.frozen.command for job in new} == {"echo 500"}
    assert new[0].created_at - due[0] <= POLL_MS + SLACK_S * 1000
