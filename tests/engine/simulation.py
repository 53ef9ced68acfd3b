"""A worker without processes and without real time: its loop is run tick by tick over a real store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from queuectl.engine.launch import Ended, Key, Launch, Started
from queuectl.engine.loop import Engine, WorkerSetup
from queuectl.engine.rescue import Rescuer
from queuectl.model.config import Config
from queuectl.model.job import Attempt, AttemptEnd, Job, NewJob
from queuectl.model.spec import Backoff, JobSpec, Schedule
from queuectl.model.states import JobState, Outcome
from queuectl.rules.freeze import freeze
from queuectl.rules.schedule import next_due
from queuectl.store.store import Store

START = 1_800_000_000_000


@dataclass
class FakeClock:
    """Both clocks, moved by hand."""

    elapsed: int = 0
    jump: int = 0

    def wall(self) -> int:
        return START + self.elapsed + self.jump

    def monotonic(self) -> int:
        return 50_000 + self.elapsed


@dataclass
class FakeSpawner:
    """Starts nothing; a test says when what ends how."""

    alive: dict[Key, Launch] = field(default_factory=dict)
    stopped: dict[Key, Outcome] = field(default_factory=dict)
    ended: list[Ended] = field(default_factory=list)
    refuse: AttemptEnd | None = None

    def start(self, launch: Launch, now: int) -> Started | Ended:
        if self.refuse:
            return Ended(key=launch.key, end=self.refuse)
        self.alive[launch.key] = launch
        return Started(key=launch.key, pid=1000 + launch.job_id)

    def stop(self, key: Key, why: Outcome, now: int) -> None:
        self.stopped.setdefault(key, why)

    def kill_all(self, why: Outcome) -> None:
        for key in list(self.alive):
            self.end(key, why)

    def tick(self, now: int) -> list[Ended]:
        ended, self.ended = self.ended, []
        return ended

    def next_deadline(self) -> int | None:
        return None

    def running(self) -> list[Key]:
        return list(self.alive)

    def settle(self, key: Key) -> None:
        assert key not in self.alive

    def pid_mark(self, key: Key) -> str:
        return "m"

    def end(self, key: Key, outcome: Outcome = Outcome.SUCCEEDED, code: int | None = None) -> None:
        del self.alive[key]
        code = (0 if outcome is Outcome.SUCCEEDED else 1) if code is None else code
        end = AttemptEnd(outcome=outcome, exit_code=code, pid=1000 + key[0])
        self.ended.append(Ended(key=key, end=end))


class Simulation:
    """One worker on a queue."""

    def __init__(
        self,
        path: Path,
        *,
        name: str = "w1",
        clock: FakeClock | None = None,
        config: Config | None = None,
        slots: int = 2,
        queues: tuple[str, ...] = (),
        until_idle: bool = False,
        dead_processes: Mapping[int, str] | None = None,
    ) -> None:
        store = Store.open(path)
        assert store is not None
        self.store = store
        self.clock = clock or FakeClock()
        self.config = config or Config()
        self.spawner = FakeSpawner()
        self.killed: list[str] = []
        self.gone = dict(dead_processes or {})
        me = WorkerSetup(
            id=name,
            host="here",
            pid=100 + len(name),
            pid_mark=name,
            slots=slots,
            queues=queues,
            db=str(path),
            log_dir=path.parent / "logs",
            until_idle=until_idle,
        )
        rescuer = Rescuer(
            store,
            host="here",
            lease_ms=self.config.lease,
            poll_ms=self.config.poll_interval,
            is_alive=lambda _pid, mark: mark not in self.gone.values(),
            kill_leftovers=lambda worker, _processes: self.killed.append(worker) or 0,
            left_behind=_lost,
            clear_away=lambda _worker: None,
        )
        self.engine = Engine(store, self.config, me, clock=self.clock, spawner=self.spawner, rescuer=rescuer)
        self.engine.join()

    def tick(self, after_ms: int = 0) -> int:
        self.clock.elapsed += after_ms
        return self.engine.tick()

    def settle(self, after_ms: int = 0) -> int:
        """Tick until nothing is due now; return how long nothing will be."""
        wait = self.tick(after_ms)
        for _ in range(50):
            if wait > 0 or self.engine.done:
                return wait
            wait = self.engine.tick()
        raise AssertionError("the loop never comes to rest: it would spin")

    def add(
        self, command: str = "true", *, state: JobState = JobState.PENDING, in_ms: int = 0, **fields: object
    ) -> Job:
        fields.setdefault("backoff", Backoff(jitter=0.0))
        frozen = freeze(JobSpec(command=command, **fields), self.config)  # type: ignore[arg-type]
        now = self.clock.wall()
        job = self.store.jobs.enqueue(NewJob(frozen=frozen, state=state, run_at=now + in_ms), now=now)
        assert job is not None
        self.engine.wake()
        return job

    def add_spec(self, name: str, schedule: Schedule, **fields: object) -> None:
        now = self.clock.wall()
        spec = JobSpec(name=name, command="true", schedule=schedule, **fields)  # type: ignore[arg-type]
        due = next_due(schedule, anchor_ms=now, zone=schedule.timezone or "UTC", after_ms=now - 1)
        apply_id = self.store.specs.record_apply(at=now, who="t", source="s", git_commit=None, git_dirty=None)
        self.store.specs.write(
            spec, source="s", file="f", apply_id=apply_id, next_due_at=due, next_fire_at=due, now=now
        )
        self.engine.wake()

    def job(self, job_id: int) -> Job:
        job = self.store.jobs.get(job_id)
        assert job is not None
        return job

    def states(self) -> dict[int, str]:
        return {job.id: job.state.value for job in reversed(self.store.jobs.list())}

    def outcomes(self, job_id: int) -> list[str | None]:
        return [attempt.outcome for attempt in self.store.attempts.of_job(job_id)]


def _lost(attempt: Attempt, max_log_bytes: int) -> AttemptEnd:
    return AttemptEnd(outcome=Outcome.LOST)
