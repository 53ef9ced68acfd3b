from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from queuectl.engine.launch import Ended, Key, Launch, Started
from queuectl.engine.output import running_name
from queuectl.engine.processes import Processes
from queuectl.model.job import AttemptEnd
from queuectl.model.spec import JobSpec


def now_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def wait_until(condition: Callable[[], bool], within: float = 5.0) -> None:
    until = time.monotonic() + within
    while not condition():
        assert time.monotonic() < until, "the condition did not come true in time"
        time.sleep(0.005)


class Attempts:
    """Real attempts of a worker of their own, driven as the loop would."""

    def __init__(self, folder: Path, *, own_process: bool = True) -> None:
        self.logs = folder / "logs"
        self.cwd = folder
        self.worker = str(uuid.uuid4())
        self.adopts = own_process and sys.platform == "linux"
        self.processes = Processes(self.logs, own_process)
        self.ended: dict[Key, AttemptEnd] = {}
        self.outputs: dict[Key, str] = {}
        self._ids = 0

    def launch(self, command: str | tuple[str, ...], **fields: Any) -> Launch:
        self._ids += 1
        around = {"spec": None, "fire_at": None, "db": "/q.db", "job_id": self._ids, "attempt": 1}
        around |= {name: fields.pop(name) for name in tuple(fields) if name in around}
        taken = {self.outputs[key] for key in self.processes.running()}
        names = (running_name(self.worker, number) for number in range(len(taken) + 1))
        around["output"] = next(name for name in names if name not in taken)
        defaults: dict[str, Any] = {"cwd": str(self.cwd), "timeout_ms": 20_000, "kill_after_ms": 5_000}
        defaults |= {"max_log_bytes": 64 * 1024 * 1024}
        frozen = JobSpec(command=command, **(defaults | fields))
        return Launch(worker=self.worker, frozen=frozen, **around)  # type: ignore[arg-type]

    def try_start(self, command: str | tuple[str, ...], **fields: Any) -> Started | Ended:
        launch = self.launch(command, **fields)
        self.outputs[launch.key] = launch.output
        return self.processes.start(launch, now_ms())

    def start(self, command: str | tuple[str, ...], **fields: Any) -> Started:
        started = self.try_start(command, **fields)
        assert isinstance(started, Started), started
        return started

    def tick(self) -> list[Key]:
        """Do what the loop does; give back which attempts run on."""
        for ended in self.processes.tick(now_ms()):
            assert ended.key not in self.ended
            self.ended[ended.key] = ended.end
            self.processes.settle(ended.key)
        return self.processes.running()

    def end_of(self, started: Started | Ended, within: float = 10.0) -> AttemptEnd:
        if isinstance(started, Ended):
            return started.end

        def has_ended() -> bool:
            self.tick()
            return started.key in self.ended

        wait_until(has_ended, within)
        return self.ended.pop(started.key)

    def run(self, command: str | tuple[str, ...], **fields: Any) -> AttemptEnd:
        return self.end_of(self.try_start(command, **fields))

    def left(self) -> list[str]:
        """Processes that carry this worker's mark and still run."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("QUEUECTL_WORKER") == self.worker:
                    found.append(f"{process.pid} {process.cmdline()}")
            except psutil.Error:
                continue
        return found
