"""What must hold when the torment is over. Every check gives back what is wrong, one line each."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import apsw

from queuectl.engine.mark import read_stat
from tests.command import Queuectl
from tests.faults.chaos.asking import SPECS
from tests.faults.chaos.changing import STEADY_EVERY_MS
from tests.faults.chaos.fleet import is_ours, ours
from tests.faults.chaos.ledger import SUCCEEDING, Line, kind_of
from tests.faults.chaos.record import Record

Row = dict[str, Any]
FINAL = frozenset({"completed", "dead", "cancelled"})
CUT_SHORT = frozenset({"lost", "interrupted", "cancelled", "timed_out"})
"""Outcomes of attempts that queuectl ended, or could not see the end of: they may have done all they had to."""
ENDS = {0: {"succeeded"}, 1: {"failed"}, 65: {"failed"}, 75: {"snoozed"}}
"""What the exit codes that the jobs of this test end with are taken for."""


class Found:
    """The queue as it is in the end."""

    def __init__(self, path: Path) -> None:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        connection.row_trace = lambda cursor, row: dict(
            zip((column[0] for column in cursor.get_description()), row, strict=True)
        )
        self.integrity = [str(row["integrity_check"]) for row in connection.execute("PRAGMA integrity_check")]
        self.jobs: dict[int, Row] = {row["id"]: row for row in connection.execute("SELECT * FROM jobs")}
        columns = "job_id, number, worker_id, outcome, finished_at, started_at, exit_code"
        self.attempts: dict[tuple[int, int], Row] = {
            (row["job_id"], row["number"]): row
            for row in connection.execute(f"SELECT {columns} FROM attempts ORDER BY job_id, number")  # noqa: S608
        }
        self.fires: list[Row] = list(connection.execute("SELECT * FROM fires ORDER BY spec, due_at"))
        self.specs: dict[str, Row] = {row["name"]: row for row in connection.execute("SELECT * FROM specs")}
        self.workers: list[Row] = list(connection.execute("SELECT * FROM workers"))
        self.counts: list[Row] = list(
            connection.execute("SELECT queue, state, own_keep, jobs FROM job_counts WHERE jobs <> 0")
        )
        connection.close()

    def states(self) -> Counter[str]:
        """Return how many jobs are in which state."""
        return Counter(str(job["state"]) for job in self.jobs.values())

    def outcomes(self) -> Counter[str]:
        """Return how often attempts ended how."""
        return Counter(str(attempt["outcome"]) for attempt in self.attempts.values())


def judge(queuectl: Queuectl, record: Record, ledger: list[Line], found: Found) -> list[str]:
    """Return everything that is wrong."""
    return [
        *record.complaints,
        *(f"integrity_check: {line}" for line in found.integrity if line != "ok"),
        *_nothing_is_lost(record, found),
        *_all_is_over(found),
        *_what_must_complete_has(record, found),
        *_ends_are_true(found, ledger),
        *_one_at_a_time(ledger),
        *_starts_are_known(found, ledger),
        *_fires_are_unique(found, ledger),
        *_every_instant_is_accounted_for(found),
        *_counts_are_right(found),
        *_copies_are_whole(record),
        *_nobody_is_left(queuectl, ledger),
    ]


def _nothing_is_lost(record: Record, found: Found) -> Iterator[str]:
    for job, kind in record.jobs.items():
        if job not in found.jobs:
            yield f"job {job} ({kind}) was acknowledged and is gone"
    keys = {row["key"]: job for job, row in found.jobs.items()}
    for key, jobs in record.keys.items():
        if jobs != {keys.get(key)}:
            yield f"key {key} was said to be of the jobs {jobs}, and is of {keys.get(key)}"


def _all_is_over(found: Found) -> Iterator[str]:
    for job, row in found.jobs.items():
        if row["state"] not in FINAL:
            yield f"job {job} is {row['state']} in the end"
    for (job, number), attempt in found.attempts.items():
        if attempt["outcome"] is None:
            yield f"job {job}: attempt {number} has no end"
    for worker in found.workers:
        yield f"worker {worker['id']} is registered in the end"


def _ends_are_true(found: Found, ledger: list[Line]) -> Iterator[str]:
    """What the store says of an attempt is what the attempt says of itself."""
    ends = {(line.job, line.attempt): int(line.remark) for line in ledger if line.event == "end"}
    succeeded = Counter(key[0] for key, row in found.attempts.items() if row["outcome"] == "succeeded")
    for (job, number), attempt in found.attempts.items():
        said, outcome = ends.get((job, number)), attempt["outcome"]
        if outcome not in CUT_SHORT and (said is None or outcome not in ENDS[said]):
            yield f"job {job}: attempt {number} is {outcome}, and its own end was {said}"
    for job, row in found.jobs.items():
        last = found.attempts.get((job, row["attempt"]))
        is_success = last is not None and last["outcome"] == "succeeded"
        if (row["state"] == "completed") != is_success:
            yield f"job {job} is {row['state']}, its last attempt {last and last['outcome']}"
        if succeeded[job] != int(is_success):
            yield f"job {job} is {row['state']} and succeeded {succeeded[job]} times"
        if row["state"] == "dead" and _kind(row) in SUCCEEDING:
            yield f"job {job} is dead, though nothing but its workers ever failed: {row['reason']}"


def _what_must_complete_has(record: Record, found: Found) -> Iterator[str]:
    """Nothing but success ends an ad-hoc job of these kinds; that nobody cancelled it is known."""
    for job, row in found.jobs.items():
        of_nobody = row["spec"] is None and job not in record.cancelled
        if of_nobody and _kind(row) in SUCCEEDING and row["state"] != "completed":
            yield f"job {job} ({_kind(row)}) is {row['state']}, not completed: {row['reason']}"


def _one_at_a_time(ledger: list[Line]) -> Iterator[str]:
    for line in ledger:
        if line.event == "overlap":
            yield f"job {line.job} ({line.kind}): attempt {line.attempt} ran beside {line.remark}"
    last: dict[int, int] = defaultdict(int)
    for line in ledger:
        if line.attempt < last[line.job]:
            yield f"job {line.job}: attempt {line.attempt} wrote after attempt {last[line.job]} had begun"
        last[line.job] = max(last[line.job], line.attempt)


def _starts_are_known(found: Found, ledger: list[Line]) -> Iterator[str]:
    starts = Counter((line.job, line.attempt) for line in ledger if line.event == "start")
    for (job, number), times in starts.items():
        if times > 1:
            yield f"job {job}: attempt {number} was started {times} times"
    for line in ledger:
        attempt = found.attempts.get((line.job, line.attempt))
        if attempt is None:
            yield f"job {line.job}: attempt {line.attempt} ran, and the queue doesn't know of it"
        elif attempt["worker_id"] != line.worker:
            yield f"job {line.job}: attempt {line.attempt} ran under {line.worker}, not {attempt['worker_id']}"
    numbers: dict[int, list[int]] = defaultdict(list)
    for job, number in found.attempts:
        numbers[job].append(number)
    for job, row in found.jobs.items():
        if numbers[job] != list(range(1, row["attempt"] + 1)):
            yield f"job {job} is at attempt {row['attempt']}, and has {numbers[job]}"


def _fires_are_unique(found: Found, ledger: list[Line]) -> Iterator[str]:
    fired: dict[tuple[str, int], list[int]] = defaultdict(list)
    for job, row in found.jobs.items():
        if row["fire_at"] is not None:
            fired[row["spec"], row["fire_at"]].append(job)
    entered = {(row["spec"], row["due_at"]): row["job_id"] for row in found.fires if row["job_id"]}
    for instant in fired.keys() | entered.keys():
        if fired[instant] != [entered.get(instant)]:
            yield f"fire {instant}: jobs {fired[instant]}, in the ledger of fires {entered.get(instant)}"
    ran: dict[tuple[str, str], set[int]] = defaultdict(set)
    for line in ledger:
        if line.fire_at:
            ran[line.spec, line.fire_at].add(line.job)
    yield from (
        f"fire {instant} was run by the jobs {jobs}" for instant, jobs in ran.items() if len(jobs) > 1
    )


def _every_instant_is_accounted_for(found: Found) -> Iterator[str]:
    """Of the spec that never changed: no due instant is missing from the ledger, and none is in it twice."""
    steady = found.specs[SPECS[0]]
    fires = [row for row in found.fires if row["spec"] == SPECS[0]]
    stretches = [(row["due_at"], row["until"] or row["due_at"], row["count"]) for row in fires]
    stretches = [
        (steady["created_at"] - STEADY_EVERY_MS,) * 2 + (1,),
        *stretches,
        (steady["next_due_at"],) * 2 + (1,),
    ]
    for first, last, count in stretches:
        if count != (last - first) // STEADY_EVERY_MS + 1:
            yield f"fires {first} to {last} of {SPECS[0]} count as {count}"
    for (_, before, _), (after, _, _) in pairwise(stretches):
        if after - before != STEADY_EVERY_MS:
            yield f"the fires {before} and {after} of {SPECS[0]} are {after - before} ms apart"


def _counts_are_right(found: Found) -> Iterator[str]:
    counted = Counter((row["queue"], row["state"], row["own_keep"]) for row in found.jobs.values())
    kept = {(row["queue"], row["state"], row["own_keep"]): row["jobs"] for row in found.counts}
    if counted != kept:
        yield f"job_counts says {kept}, and there are {dict(counted)}"


def _copies_are_whole(record: Record) -> Iterator[str]:
    for copy in record.copies:
        copied = Found(copy.path)
        if copied.integrity != ["ok"]:
            yield f"backup {copy.path.name}: {copied.integrity}"
        if missing := copy.jobs - copied.jobs.keys():
            yield f"backup {copy.path.name} lacks the jobs {sorted(missing)}"


def _nobody_is_left(queuectl: Queuectl, ledger: list[Line]) -> Iterator[str]:
    for pid in ours(queuectl):
        yield f"process {pid} is left: {Path(f'/proc/{pid}/cmdline').read_bytes()!r}"
    for pid, started in {(line.pid, line.started) for line in ledger}:
        stat = read_stat(pid)
        if stat is not None and stat.start == started and not stat.dead and not is_ours(pid, queuectl):
            yield f"process {pid} of the ledger is left, without the mark of the test"


def _kind(job: Row) -> str:
    return kind_of(json.loads(job["frozen"]))
