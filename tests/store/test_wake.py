"""Wake-ups: who is woken, when, and what can't go wrong with the sockets that carry them."""

from __future__ import annotations

import select
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from queuectl.model.job import Job
from queuectl.model.spec import JobSpec
from queuectl.model.states import JobState, Outcome
from queuectl.store.database import WakeUps
from queuectl.store.store import Store
from queuectl.store.wake import Listener
from tests.store.conftest import Bench, OpenStore

Open = Callable[[Path], Store]


@pytest.fixture
def opened() -> Iterator[Open]:
    """Opens queues by their paths."""
    with ExitStack() as stack:

        def opened(path: Path) -> Store:
            store = Store.open(path)
            assert store is not None
            stack.callback(store.close)
            return store

        yield opened


def heard(ear: WakeUps) -> bool:
    """Whether wake-ups have come since the last call."""
    came = bool(select.select([ear], [], [], 0)[0])
    ear.drain()
    return came


def sockets(folder: Path) -> list[Path]:
    return list((folder / "queue.wake").iterdir())


# Every database


def test_what_is_announced_is_heard_once_it_is_durable(open_store: OpenStore) -> None:
    teller, worker = open_store(), open_store()
    ear = worker.database.listen()
    with teller.transaction():
        with teller.transaction():
            teller.database.announce()
        assert not heard(ear), "what it announces isn't there yet"
    assert heard(ear)
    assert not heard(ear), "only once"
    teller.database.announce()
    assert heard(ear), "outside of a transaction, at once"


def test_what_is_rolled_back_is_not_heard_even_later(open_store: OpenStore) -> None:
    teller, worker = open_store(), open_store()
    ear = worker.database.listen()
    with suppress(ZeroDivisionError), teller.transaction():
        teller.database.announce()
        raise ZeroDivisionError
    with teller.transaction():
        pass
    assert not heard(ear)


def test_every_worker_is_woken_but_not_by_itself(open_store: OpenStore) -> None:
    workers = [open_store() for _ in range(3)]
    ears = [worker.database.listen() for worker in workers]
    workers[0].database.announce()
    assert [heard(ear) for ear in ears] == [False, True, True]
    workers[1].close()
    workers[0].database.announce()
    assert heard(ears[2])


TOLD: dict[str, tuple[JobState | None, Callable[[Bench, int], object]]] = {
    "enqueue": (None, lambda b, _: b.enqueue()),
    "enqueue for later": (None, lambda b, _: b.in_state(JobState.SCHEDULED)),
    "cancel a waiting job": (JobState.PENDING, lambda b, job: b.store.jobs.cancel(job, reason="", now=2000)),
    "cancel a running job": (
        JobState.PROCESSING,
        lambda b, job: b.store.jobs.cancel(job, reason="", now=2000),
    ),
    "retry": (JobState.DEAD, lambda b, job: b.store.jobs.retry(job, JobSpec(command="x"), None, now=2000)),
    "hurry": (JobState.FAILED, lambda b, job: b.store.jobs.hurry(job, now=2000)),
    "refreeze": (
        JobState.SCHEDULED,
        lambda b, job: b.store.jobs.refreeze(job, JobSpec(command="x"), None, run_at=2500, now=2000),
    ),
    "interrupted": (
        JobState.PROCESSING,
        lambda b, job: b.finish(held(b, job), JobState.PENDING, outcome=Outcome.INTERRUPTED),
    ),
    "write a spec": (None, lambda b, _: write_spec(b, "new")),
    "pause a spec": (None, lambda b, _: b.store.specs.pause("spec", who="me", now=2000)),
    "resume a spec": (None, lambda b, _: b.store.specs.resume("paused")),
    "prune a spec": (None, lambda b, _: b.store.specs.prune("spec", now=2000)),
    "pause a queue": (None, lambda b, _: b.store.queues.pause("default", who="me", now=2000)),
    "resume a queue": (None, lambda b, _: b.store.queues.resume("paused")),
    "pause a worker": (None, lambda b, _: b.store.workers.pause(None, now=2000)),
    "resume a worker": (None, lambda b, _: b.store.workers.resume("paused")),
    "stop a worker": (None, lambda b, _: b.store.workers.stop("w1", mode="graceful")),
}

UNTOLD: dict[str, tuple[JobState | None, Callable[[Bench, int], object]]] = {
    "claim": (JobState.PENDING, lambda b, _: b.claim()),
    "finish": (JobState.PROCESSING, lambda b, job: b.finish(held(b, job))),
    "fail": (
        JobState.PROCESSING,
        lambda b, job: b.finish(held(b, job), JobState.FAILED, outcome=Outcome.FAILED, run_at=2000),
    ),
    "promote": (JobState.FAILED, lambda b, _: b.store.jobs.promote(now=10**9)),
    "cancel what is over": (JobState.DEAD, lambda b, job: b.store.jobs.cancel(job, reason="", now=2000)),
    "advance a spec": (
        None,
        lambda b, _: b.store.specs.advance(
            "spec", expected_due_at=None, next_due_at=5000, next_fire_at=5000, fired_at=2000
        ),
    ),
    "beat": (None, lambda b, _: b.store.workers.beat("w1", now=2000)),
    "look": (
        JobState.DEAD,
        lambda b, _: (b.store.jobs.counts(), b.store.specs.list(), b.store.next_deadline()),
    ),
}


@pytest.mark.parametrize("verb", TOLD)
def test_what_gives_a_worker_something_to_do_or_to_stop_is_told(
    bench: Bench, open_store: OpenStore, verb: str
) -> None:
    assert is_told(bench, open_store(), *TOLD[verb])


@pytest.mark.parametrize("verb", UNTOLD)
def test_what_workers_do_among_themselves_is_not(bench: Bench, open_store: OpenStore, verb: str) -> None:
    assert not is_told(bench, open_store(), *UNTOLD[verb])


def is_told(
    bench: Bench, worker: Store, state: JobState | None, verb: Callable[[Bench, int], object]
) -> bool:
    for name in ("w1", "paused"):
        bench.store.workers.register(
            worker=name, host="here", pid=1, pid_mark="m", slots=1, queues=(), now=1000
        )
        write_spec(bench, name="spec" if name == "w1" else name)
    bench.store.workers.pause("paused", now=1000)
    bench.store.specs.pause("paused", who="me", now=1000)
    bench.store.queues.pause("paused", who="me", now=1000)
    job = bench.in_state(state).id if state else 0
    ear = worker.database.listen()
    verb(bench, job)
    return heard(ear)


def held(bench: Bench, job_id: int) -> Job:
    job = bench.store.jobs.get(job_id)
    assert job is not None
    return job


def write_spec(bench: Bench, name: str) -> None:
    apply_id = bench.store.specs.record_apply(at=1, who="t", source="s", git_commit=None, git_dirty=None)
    bench.store.specs.write(
        JobSpec(name=name, command="true"),
        source="s",
        file="f",
        apply_id=apply_id,
        next_due_at=None,
        next_fire_at=None,
        now=1000,
    )


# The sockets beside a SQLite queue


def test_sockets_are_private_and_leave_with_their_workers(path: Path, opened: Open) -> None:
    worker, other = opened(path), opened(path)
    worker.database.listen()
    assert worker.database.listen() is worker.database.listen(), "one is enough for a process"
    other.database.listen()
    assert stat.S_IMODE((path.parent / "queue.wake").stat().st_mode) == 0o700
    assert [stat.S_IMODE(socket.stat().st_mode) for socket in sockets(path.parent)] == [0o600] * 2
    worker.close()
    assert len(sockets(path.parent)) == 1
    other.close()
    assert not (path.parent / "queue.wake").exists()


def test_what_a_killed_worker_left_is_removed(path: Path, opened: Open) -> None:
    teller, killed, alive = opened(path), opened(path), opened(path)
    kill(killed)
    ear = alive.database.listen()
    (path.parent / "queue.wake" / "notes").touch()
    teller.database.announce()
    assert heard(ear)
    assert len(sockets(path.parent)) == 2, "the live one, and what is no socket of ours"


def test_a_worker_that_hears_nothing_holds_nobody_up(path: Path, opened: Open) -> None:
    teller, worker = opened(path), opened(path)
    ear = worker.database.listen()
    for _ in range(1000):
        teller.database.announce()
    assert heard(ear)
    assert not heard(ear), "all of them are one"


def test_a_path_too_long_for_a_socket(tmp_path: Path, opened: Open) -> None:
    path = tmp_path.joinpath(*["a-folder-with-quite-a-long-name"] * 5, "queue.db")
    assert len(str(path)) > 150
    teller, worker, killed = opened(path), opened(path), opened(path)
    ear = worker.database.listen()
    kill(killed)
    teller.database.announce()
    assert heard(ear)
    assert len(sockets(path.parent)) == 1
    worker.close()
    assert not (path.parent / "queue.wake").exists()


def test_queues_in_one_folder_are_apart_and_names_of_one_queue_together(tmp_path: Path, opened: Open) -> None:
    path, link = tmp_path / "queue.db", tmp_path / "link.db"
    worker, neighbour = opened(path), opened(tmp_path / "queue.sqlite")
    link.symlink_to(path)
    linked = opened(link)
    ear, other_ear = worker.database.listen(), neighbour.database.listen()
    neighbour.database.announce()
    assert (heard(ear), heard(other_ear)) == (False, False)
    linked.database.announce()
    assert (heard(ear), heard(other_ear)) == (True, False)


def test_where_no_socket_can_be_nobody_is_woken_and_nothing_fails(path: Path, opened: Open) -> None:
    teller, worker = opened(path), opened(path)
    (path.parent / "queue.wake").touch()
    with pytest.raises(OSError):  # noqa: PT011  whatever the system calls it
        worker.database.listen()
    teller.database.announce()


def kill(worker: Store) -> None:
    """Close its socket as the system does, which leaves the file."""
    ear = worker.database.listen()
    assert isinstance(ear, Listener)
    ear._socket.close()
