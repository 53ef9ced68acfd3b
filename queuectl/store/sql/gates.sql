-- name: take_slots_to_look_at
DELETE FROM slots_to_look_at RETURNING slot;

-- name: look_at_slot
-- Again, the next time.
INSERT INTO slots_to_look_at VALUES (:slot) ON CONFLICT (slot) DO NOTHING;

-- name: rates_waited_for
-- The specs whose rate lets a blocked job start now, one by one past all jobs of the one before.
WITH RECURSIVE waited (spec) AS (
    SELECT MIN(spec) FROM jobs WHERE slot IS NULL AND state = 'blocked' AND blocked_by = 'gate'
    UNION ALL
    SELECT (SELECT MIN(j.spec) FROM jobs j
        WHERE j.slot IS NULL AND j.state = 'blocked' AND j.blocked_by = 'gate' AND j.spec > waited.spec)
    FROM waited WHERE waited.spec IS NOT NULL
)
SELECT spec FROM waited
WHERE spec IS NOT NULL AND COALESCE((SELECT r.next_us FROM rates r WHERE r.spec = waited.spec), 0) <= :now_us
  AND NOT EXISTS (SELECT 1 FROM jobs p WHERE p.spec = waited.spec AND p.state = 'pending');

-- name: waiting_at_slot
-- The first of those that wait for a slot, by priority, then age.
SELECT id, spec, slot_limit, on_conflict, interval_us FROM jobs
WHERE slot = :slot AND slot IS NOT NULL AND state = 'blocked' AND blocked_by = 'gate'
ORDER BY priority DESC, id LIMIT :limit;

-- name: waiting_at_rate
SELECT id, spec, slot_limit, on_conflict, interval_us FROM jobs
WHERE spec = :spec AND slot IS NULL AND state = 'blocked' AND blocked_by = 'gate'
ORDER BY priority DESC, id LIMIT :limit;

-- name: impatient_at_slot
-- Those that don't wait for a slot that is taken: they are skipped, or replace who has it.
SELECT id, spec, slot_limit, on_conflict, interval_us FROM jobs
WHERE slot = :slot AND on_conflict = :on_conflict AND on_conflict <> 'wait' AND state = 'blocked'
  AND blocked_by = 'gate'
ORDER BY id;

-- name: holders_of_slot
SELECT id, state, cancel_requested_at FROM jobs
WHERE slot = :slot AND slot IS NOT NULL AND state IN ('pending', 'processing') ORDER BY id;

-- name: slot_of_job
SELECT slot FROM jobs WHERE id = :id;

-- name: admit
-- blocked → pending: a slot is free, and the rate allows it.
UPDATE jobs SET state = 'pending', blocked_by = NULL, reason = NULL, updated_at = :now
WHERE id = :id AND state = 'blocked' AND blocked_by = 'gate' RETURNING id;

-- name: rate_of_spec
-- When the next job of a spec may start, and whether one is ready already.
SELECT (SELECT next_us FROM rates WHERE spec = :spec) AS next_us,
    EXISTS (SELECT 1 FROM jobs WHERE spec = :spec AND state = 'pending') AS one_is_ready;

-- name: set_rate_of_spec
INSERT INTO rates (spec, next_us) VALUES (:spec, :next_us)
ON CONFLICT (spec) DO UPDATE SET next_us = excluded.next_us;

-- name: note_start_of_spec
-- A job that was admitted earlier starts only now: the next one may not start before it.
UPDATE rates SET next_us = MAX(next_us, :now_us) WHERE spec = :spec;

-- name: set_rate_of_queue
UPDATE queues SET next_us = :next_us WHERE name = :name;

-- name: next_start
-- When the next job may start that nothing but a rate keeps from it: after :tried, where those before were tried then.
SELECT MIN(next_us) AS next_us FROM (
    SELECT r.next_us FROM rates r
    WHERE EXISTS (SELECT 1 FROM jobs j
            WHERE j.spec = r.spec AND j.interval_us IS NOT NULL AND j.state = 'blocked' AND j.blocked_by = 'gate')
      AND NOT EXISTS (SELECT 1 FROM jobs p WHERE p.spec = r.spec AND p.state = 'pending')
    UNION ALL
    SELECT q.next_us FROM queues q
    WHERE q.interval_us IS NOT NULL AND q.paused_at IS NULL
      AND EXISTS (SELECT 1 FROM jobs j WHERE j.state = 'pending' AND j.queue = q.name)
) AS starts
WHERE CAST(:tried_us AS INTEGER) IS NULL OR next_us > :tried_us;

-- name: limit_queue
INSERT INTO queues (name, running_limit, interval_us) VALUES (:name, :running, :interval_us)
ON CONFLICT (name) DO UPDATE
SET running_limit = excluded.running_limit, interval_us = excluded.interval_us, next_us = NULL
RETURNING name;
