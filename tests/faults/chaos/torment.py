"""A minute of torment: who is killed, stopped, started and asked, and when, is drawn from one seed."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from functools import partial
from subprocess import Popen
from threading import Event, Thread

from queuectl.model.states import FINAL
from tests.command import Queuectl
from tests.faults.chaos.asking import QUEUES, SPECS, Asker
from tests.faults.chaos.changing import Applier
from tests.faults.chaos.fleet import Fleet
from tests.faults.chaos.record import Record

ASKERS = 2


def torment(queuectl: Queuectl, *, seed: str, seconds: float, lease_s: float) -> Record:
    """Torment a queue and its workers for so long; return what was done. Workers may run on."""
    record = Record()

    def chance(actor: str) -> random.Random:
        return random.Random(f"{seed}/{actor}")  # noqa: S311  to be repeated

    askers = [Asker(queuectl, record, chance(f"asker {number}"), seed) for number in range(ASKERS)]
    fleet = Fleet(queuectl, record, chance("fleet"), lease_s=lease_s)
    hand = Asker(queuectl, record, chance("hand"), seed)
    applier = Applier(hand, queuectl.folder / "jobs.d", chance("applier"))
    (queuectl.folder / "copies").mkdir()
    hand.run("apply", "jobs.d", killed=0.0)
    _until(seconds, [fleet.torment, applier.torment, *(asker.ask for asker in askers)], at_end=fleet.end)
    return record


def calm(queuectl: Queuectl, record: Record) -> None:
    """Stop what makes new jobs, let everything go on that was paused, and run a worker until all jobs are over."""
    hand = Asker(queuectl, record, random.Random(0), "")  # noqa: S311
    for spec in SPECS:
        hand.insist("spec", "pause", spec)
    for queue in QUEUES:
        hand.insist("queue", "resume", queue)
    workers: list[Popen[str]] = []

    def fewer(than: int) -> tuple[int] | None:
        """Run a worker, which a job may still kill; say how many jobs are left if it is fewer."""
        if not workers or workers[-1].poll() is not None:
            workers.append(queuectl.start("worker", "start", "--slots", "8"))
        left = _unfinished(queuectl)
        return (left,) if left < than else None

    left = _unfinished(queuectl) + 1
    while left:
        (left,) = queuectl.wait_until(partial(fewer, left), f"another one of {left} jobs is over")
    workers[-1].terminate()
    for worker in workers:
        killed = -signal.SIGKILL if worker is not workers[-1] else 0
        record.ended(("calm worker",), worker.wait(queuectl.deadline_s), "", frozenset({killed}))
    hand.run("run", "--until-idle", killed=0.0)


def _unfinished(queuectl: Queuectl) -> int:
    counts = queuectl.look(lambda store: store.jobs.counts())
    return sum(number for state, number in counts.items() if state not in FINAL)


def _until(seconds: float, actors: list[Callable[[], None]], *, at_end: Callable[[], None]) -> None:
    """Let each act again and again, in a thread of its own. What goes wrong in one ends them all.

    `at_end` comes last for the first of them: the others may wait for those whom it has stopped.
    """
    end, broken = time.monotonic() + seconds, Event()
    errors: list[BaseException] = []

    def act(actor: Callable[[], None]) -> None:
        try:
            while time.monotonic() < end and not broken.is_set():
                actor()
            if actor is actors[0]:
                at_end()
        except BaseException as error:  # noqa: BLE001  it is raised in the main thread
            errors.append(error)
            broken.set()

    threads = [Thread(target=act, args=(actor,)) for actor in actors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
