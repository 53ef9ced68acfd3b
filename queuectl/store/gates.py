"""Gates: slots that jobs share, and rates at which they may start.

A job with a gate is blocked until it is admitted; from pending to the end of its attempt it holds its slot.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from queuectl.model.errors import StoreInvalidError
from queuectl.rules.gate import shown_key
from queuectl.rules.rates import after_start, allowed
from queuectl.store.database import Database, Row
from queuectl.store.jobs import Jobs

CANDIDATES = 200
"""How many jobs that wait at one gate are looked at."""


class Gates:
    """Who may go on."""

    def __init__(self, database: Database, jobs: Jobs) -> None:
        self._db = database
        self._jobs = jobs

    def admit(self, *, now: int) -> Sequence[int]:
        """Blocked → pending, where a slot is free and the rate allows it, by priority, then age.

        Those that don't wait are cancelled, or let the job that has the slot be cancelled. Returns the ids of those
        that are pending now.
        """
        with self._db.transaction():
            slots = sorted(row["slot"] for row in self._db.run("take_slots_to_look_at"))
            admitted = [job for slot in slots for job in self._at_slot(slot, now)]
            for row in self._db.run("rates_waited_for", now_us=now * 1000):
                waiting = self._db.run("waiting_at_rate", spec=row["spec"], limit=1)
                admitted += [one["id"] for one in waiting if self._starts(one, now)]
        return admitted

    def next_start(self, *, tried: int | None = None) -> int | None:
        """Return the instant when a rate lets the next job start.

        What was let start by `tried` waits for something else, too: a slot, or a worker.
        """
        tried_us = None if tried is None else tried * 1000
        next_us: int | None = self._db.run("next_start", tried_us=tried_us)[0]["next_us"]
        return None if next_us is None else -(-next_us // 1000)

    def holders(self, job_id: int) -> Sequence[int]:
        """Return the ids of the jobs that have the slots which a job waits for."""
        rows = self._db.run("slot_of_job", id=job_id)
        slot = rows[0]["slot"] if rows else None
        return [row["id"] for row in self._db.run("holders_of_slot", slot=slot)] if slot is not None else []

    def next_start_of(self, spec: str) -> int | None:
        """Return the instant when the rate of a spec lets its next job start; None: at once."""
        next_us: int | None = self._db.run("rate_of_spec", spec=spec)[0]["next_us"]
        return None if next_us is None else -(-next_us // 1000)

    def limit_queue(self, name: str, *, running: int | None, interval_us: int | None) -> None:
        """Let at most so many jobs of a queue run, and so often start; None: no limit."""
        self._db.run("limit_queue", name=name, running=running, interval_us=interval_us)
        self._db.announce()

    def _at_slot(self, slot: str, now: int) -> Sequence[int]:
        replacing = self._replace(slot, now)
        held = len(self._db.run("holders_of_slot", slot=slot))
        waiting = self._db.run("waiting_at_slot", slot=slot, limit=CANDIDATES)
        admitted: list[int] = []
        held_up = False
        for one in [*replacing, *(one for one in waiting if one not in replacing)]:
            if held + len(admitted) < one["slot_limit"]:
                if self._starts(one, now):
                    admitted.append(one["id"])
                else:  # by its rate, which lets it go on later though nothing changes here
                    held_up = True
            elif one["on_conflict"] == "wait":
                break
        if held_up:
            self._db.run("look_at_slot", slot=slot)
        for one in self._db.run("impatient_at_slot", slot=slot, on_conflict="skip"):
            if held + len(admitted) >= one["slot_limit"]:
                self._jobs.call_off(one["id"], reason=self._skipped(one), now=now)
        return admitted

    def _replace(self, slot: str, now: int) -> Sequence[Row]:
        """Make room for those that replace who has a slot: the latest as many as there are slots, the others go.

        Returns them: what they made room for is theirs, before all that wait.
        """
        replacing = self._db.run("impatient_at_slot", slot=slot, on_conflict="replace")
        if not replacing:
            return []
        holders = self._db.run("holders_of_slot", slot=slot)
        staying = [one for one in holders if one["cancel_requested_at"] is None]
        too_many = max(0, len(staying) + len(replacing) - replacing[-1]["slot_limit"])
        for one in [*staying, *replacing][:too_many]:
            self._jobs.call_off(one["id"], reason=f"replaced by job {replacing[-1]['id']}", now=now)
        return replacing[max(0, too_many - len(staying)) :]

    def _skipped(self, one: Row) -> str:
        taken = ""
        with suppress(StoreInvalidError):  # its row can't be read
            if job := self._jobs.get(one["id"]):
                taken = f" '{shown_key(job.frozen)}'"
        limit = one["slot_limit"]
        return (
            f"skipped: the slot{taken} is taken"
            if limit == 1
            else f"skipped: all {limit} slots of{taken} are taken"
        )

    def _starts(self, one: Row, now: int) -> bool:
        """Admit a job unless its rate says no."""
        interval = one["interval_us"]
        if interval is not None:
            (rate,) = self._db.run("rate_of_spec", spec=one["spec"])
            if rate["one_is_ready"] or not allowed(rate["next_us"], now, interval):
                return False
            next_us = after_start(rate["next_us"], now, interval)
            self._db.run("set_rate_of_spec", spec=one["spec"], next_us=next_us)
        return bool(self._db.run("admit", id=one["id"], now=now))
