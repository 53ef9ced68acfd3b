"""The commands that people give while the workers are tormented."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from collections.abc import Callable

from tests.command import Queuectl
from tests.faults.chaos.ledger import kind_of, some_job
from tests.faults.chaos.record import Copy, Record

BUSY = 4
CODES = frozenset({0, 1, BUSY, 130, -signal.SIGKILL})
QUEUES = ("default", "side")
SPECS = ("steady", *(f"spec{number}" for number in range(6)))
"""Those of `changing.py`; some of them are not there at times."""


class Asker:
    """Gives one command after the other. Used by one thread."""

    def __init__(self, queuectl: Queuectl, record: Record, chance: random.Random, seed: str) -> None:
        self._queuectl = queuectl
        self._record = record
        self._chance = chance
        self._seed = seed
        self._copies = 0

    def ask(self) -> None:
        """Give a command, of whichever kind; wait a moment."""
        verbs: dict[Callable[[], object], float] = {
            self._enqueue: 10,
            self._enqueue_with_key: 5,
            self._enqueue_many: 4,
            self._cancel: 5,
            self._retry: 3,
            self._retry_the_dead: 4,
            self._trigger: 4,
            self._pause_a_worker: 1.5,
            self._pause_a_queue: 1.5,
            self._pause_a_spec: 2,
            self._stop_a_worker: 1,
            self._back_up: 1.5,
            self._look: 3,
        }
        self._chance.choices(list(verbs), list(verbs.values()))[0]()
        time.sleep(self._chance.uniform(0.0, 0.5))

    def run(self, *words: str, stdin: str = "", killed: float = 0.08) -> subprocess.CompletedProcess[str]:
        """Run a command, and take note of what it says. With the chance `killed` it is killed on its way."""
        patience = self._queuectl.deadline_s
        if self._chance.random() < killed:
            patience = self._chance.uniform(0.03, 0.4)
        process = subprocess.Popen(
            self._queuectl.argv(*words),
            cwd=self._queuectl.folder,
            env=self._queuectl.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            try:
                stdout, stderr = process.communicate(stdin, timeout=patience)
            except subprocess.TimeoutExpired:
                process.kill()
                stdout, stderr = process.communicate()
                if patience >= self._queuectl.deadline_s:
                    self._record.complain(f"{' '.join(words)}: never ended")
        done = subprocess.CompletedProcess(words, process.returncode, stdout, stderr)
        self._record.ended(words, done.returncode, stderr, CODES)
        self._listen(done)
        return done

    def insist(self, *words: str) -> None:
        """Run a command until the queue was not too busy for it."""
        while self.run(*words, killed=0.0).returncode == BUSY:
            time.sleep(0.1)

    def _listen(self, done: subprocess.CompletedProcess[str]) -> None:
        """Take note of the jobs that a command says are in the queue; one that is killed later has still said so."""
        whole = done.stdout.endswith("\n")
        try:
            if done.args[-1] == "jsonl":
                lines = done.stdout.splitlines()
                for job in map(json.loads, lines if whole else lines[:-1]):
                    self._record.acknowledged(job["id"], kind_of(job), job["key"])
            elif done.args[-1] == "json" and done.returncode == 0:
                json.loads(done.stdout)
        except ValueError:
            self._record.complain(f"{' '.join(done.args)}: no JSON: {done.stdout!r}")

    def _some_jobs(self, most: int) -> list[int]:
        """Return acknowledged jobs, mostly of the latest."""
        known = self._record.some_jobs()
        if self._chance.random() < 0.7:
            known = known[-30:]
        return [self._chance.choice(known) for _ in range(self._chance.randint(1, most))] if known else []

    def _enqueue(self) -> None:
        options = ["--priority", str(self._chance.randint(-5, 5))]
        if self._chance.random() < 0.3:
            options += ["--queue", "side"]
        if self._chance.random() < 0.3:
            options += ["--delay", f"{self._chance.randint(0, 1500)}ms"]
        self.run("enqueue", json.dumps(some_job(self._chance)), *options, "-o", "jsonl")

    def _enqueue_with_key(self) -> None:
        """Everybody who says the same key says the same job."""
        key = f"key{self._chance.randrange(500)}"
        chance = random.Random(f"{self._seed}/{key}")  # noqa: S311  to be repeated
        job = some_job(chance) | {"key": key}
        self.run("enqueue", json.dumps(job), "-o", "jsonl", killed=0.3)

    def _enqueue_many(self) -> None:
        jobs = [some_job(self._chance) for _ in range(self._chance.randint(2, 25))]
        self.run("enqueue", "-", "-o", "jsonl", stdin="".join(json.dumps(job) + "\n" for job in jobs))

    def _cancel(self) -> None:
        if jobs := self._some_jobs(2):
            with self._record.lock:
                self._record.cancelled.update(jobs)
            self.run("cancel", *map(str, jobs), "-o", "json")

    def _retry(self) -> None:
        if jobs := self._some_jobs(1):
            self.run("retry", *map(str, jobs), "-o", "jsonl")

    def _retry_the_dead(self) -> None:
        words = ["--all"] if self._chance.random() < 0.3 else [str(job) for job in self._some_jobs(1)]
        if words:
            self.run("dlq", "retry", *words)

    def _trigger(self) -> None:
        self.run("trigger", self._chance.choice(SPECS), "-o", "jsonl")

    def _pause_a_worker(self) -> None:
        which = self._some_worker() if self._chance.random() < 0.7 else []
        self.run("worker", "pause", *which)
        time.sleep(self._chance.uniform(0.0, 1.0))
        self.insist("worker", "resume")

    def _pause_a_queue(self) -> None:
        queue = self._chance.choice(QUEUES)
        self.run("queue", "pause", queue)
        time.sleep(self._chance.uniform(0.0, 1.0))
        self.insist("queue", "resume", queue)

    def _pause_a_spec(self) -> None:
        spec = self._chance.choice(SPECS)
        self.run("spec", "pause", spec)
        time.sleep(self._chance.uniform(0.0, 2.0))
        self.run("spec", "resume", spec)

    def _stop_a_worker(self) -> None:
        if which := self._some_worker():
            now = ["--now"] if self._chance.random() < 0.5 else []
            self.run("worker", "stop", *which, *now, "--timeout", "2s")

    def _back_up(self) -> None:
        known = frozenset(self._record.some_jobs())
        self._copies += 1
        path = self._queuectl.folder / "copies" / f"{id(self)}-{self._copies}.db"
        if self.run("backup", str(path)).returncode == 0:
            with self._record.lock:
                self._record.copies.append(Copy(path, known))

    def _look(self) -> None:
        looks = (("status",), ("list", "--limit", "50"), ("worker", "list"), ("queue", "list"), ("spec", "list"),
                 ("fires",), ("dlq", "list"))  # fmt: skip
        self.run(*self._chance.choice(looks), "-o", "json")

    def _some_worker(self) -> list[str]:
        workers = json.loads(self.run("worker", "list", "-o", "json", killed=0.0).stdout or "[]")
        return [self._chance.choice(workers)["id"][:12]] if workers else []
