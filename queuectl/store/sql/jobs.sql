-- name: enqueue
-- A job that wasn't there → blocked, scheduled or pending. An existing key: no row.
INSERT INTO jobs (key, spec, spec_version, frozen, state, queue, priority, run_at, expires_at, fire_at, reason,
                  blocked_by, flow, gated, slot, slot_limit, on_conflict, interval_us, created_at, updated_at)
VALUES (:key, :spec, :spec_version, :frozen, :state, :queue, :priority, :run_at, :expires_at, :fire_at, :reason,
        :blocked_by, :flow, :gated, :slot, :slot_limit, :on_conflict, :interval_us, :now, :now)
ON CONFLICT (key) WHERE key IS NOT NULL DO NOTHING
RETURNING id;

-- name: enqueue_many
-- The same for jobs that have all but their key and frozen spec in common; :jobs is an array of those two.
INSERT INTO jobs (key, spec, spec_version, frozen, state, queue, priority, run_at, expires_at, fire_at, reason,
                  blocked_by, flow, gated, slot, slot_limit, on_conflict, interval_us, created_at, updated_at)
SELECT value ->> 0, :spec, :spec_version, value ->> 1, :state, :queue, :priority, :run_at, :expires_at, :fire_at,
       :reason, :blocked_by, :flow, :gated, :slot, :slot_limit, :on_conflict, :interval_us, :now, :now
FROM json_each(:jobs) AS job
WHERE TRUE
ORDER BY job.key
ON CONFLICT (key) WHERE key IS NOT NULL DO NOTHING
RETURNING id, key;

-- name: job
SELECT * FROM jobs WHERE id = :id;

-- name: give_input
INSERT INTO inputs (job_id, content) VALUES (:id, :content);

-- name: input
SELECT content FROM inputs WHERE job_id = :id;

-- name: job_by_key
SELECT * FROM jobs WHERE key = :key;

-- name: newest_job_of_spec
SELECT * FROM jobs WHERE id = (
    SELECT MAX((SELECT MAX(j.id) FROM jobs j WHERE j.spec = :spec AND j.state = states.column1))
    FROM (VALUES ('blocked'), ('scheduled'), ('pending'), ('processing'), ('failed'), ('completed'), ('dead'),
        ('cancelled')) AS states);

-- name: job_keys
-- Among the latest jobs: a million without a key are not looked through for one with.
SELECT key FROM (SELECT id, key FROM jobs ORDER BY id DESC LIMIT 5000) AS latest
WHERE key IS NOT NULL ORDER BY id DESC LIMIT :limit;

-- name: count_jobs_by_state
SELECT state, SUM(jobs) AS jobs FROM job_counts GROUP BY state;

-- name: oldest_pending
-- Since when one of those that have been pending for longest could have run.
SELECT MIN(run_at) AS run_at FROM (
    SELECT run_at FROM jobs WHERE state = 'pending' AND own_keep = 0 AND state <> 'processing'
    ORDER BY updated_at LIMIT 1000) AS longest;

-- name: claimable_queues
-- Served queues that aren't paused and have something pending.
SELECT q.name, q.running_limit, q.interval_us, q.next_us, CASE WHEN q.running_limit IS NOT NULL THEN
    (SELECT COALESCE(SUM(c.jobs), 0) FROM job_counts c WHERE c.queue = q.name AND c.state = 'processing') END AS running
FROM queues q
WHERE q.paused_at IS NULL
  AND (CAST(:queues AS TEXT) IS NULL OR q.name IN (SELECT value FROM json_each(:queues)))
  AND EXISTS (SELECT 1 FROM jobs j WHERE j.state = 'pending' AND j.queue = q.name);

-- name: claimable_jobs
-- The first :limit pending ones of a queue by priority, then age.
SELECT id, priority, losses FROM jobs
WHERE state = 'pending' AND queue = :queue AND (losses < :quarantined_from OR :quarantined)
ORDER BY priority DESC, id LIMIT :limit;

-- name: claim
-- pending → processing.
UPDATE jobs
SET state = 'processing', worker_id = :worker, attempt = attempt + 1, reason = NULL,
    cancel_requested_at = NULL, updated_at = :now
WHERE id = :id AND state = 'pending'
RETURNING *;

-- name: bury
-- processing → dead: what is to be run can't be read.
UPDATE jobs SET state = 'dead', reason = :reason, finished_at = :now, updated_at = :now
WHERE id = :id AND state = 'processing' RETURNING id, flow;

-- name: bury_all_of_worker
-- processing → dead.
UPDATE jobs SET state = 'dead', reason = :reason, finished_at = :now, updated_at = :now
WHERE worker_id = :worker AND state = 'processing' RETURNING id, flow;

-- name: reindex_jobs
REINDEX jobs;

-- name: finish
-- processing → completed, failed, dead, cancelled, pending or scheduled; only by the worker and attempt that hold it.
UPDATE jobs
SET state = CASE WHEN :state = 'pending' AND gated = 1 THEN 'blocked' ELSE :state END,
    blocked_by = CASE WHEN :state = 'pending' AND gated = 1 THEN 'gate' END,
    run_at = COALESCE(:run_at, run_at), failures = :failures, losses = :losses, reason = :reason,
    exit_code = :exit_code, said = COALESCE(CAST(:said AS TEXT), said), cancel_requested_at = NULL,
    own_keep = :own_keep, purge_at = :purge_at,
    finished_at = CAST(:finished_at AS INTEGER), updated_at = :now
WHERE id = :id AND state = 'processing' AND worker_id = :worker AND attempt = :attempt
  AND cancel_requested_at IS NOT DISTINCT FROM CAST(:cancel_requested_at AS INTEGER)
RETURNING id, flow;

-- name: promote
-- scheduled or failed → pending, or blocked where there is a gate, when due.
UPDATE jobs
SET state = CASE gated WHEN 0 THEN 'pending' ELSE 'blocked' END, blocked_by = CASE gated WHEN 0 THEN NULL ELSE 'gate' END,
    updated_at = :now
WHERE id IN (
    SELECT id FROM jobs WHERE state IN ('scheduled', 'failed') AND run_at <= :now
    LIMIT :limit)
RETURNING id;

-- name: bring_back
-- blocked, scheduled and failed stay: a wait that began in what is the future by now begins anew. Not where the instant
-- itself was asked for.
UPDATE jobs SET run_at = :now + MAX(0, run_at - updated_at), updated_at = :now
WHERE state IN ('blocked', 'scheduled', 'failed') AND own_keep = 0 AND state <> 'processing' AND updated_at > :now
  AND run_at > :now AND frozen NOT LIKE '%"run_at_ms":' || run_at || '%'
RETURNING id;

-- name: unblock
-- blocked → pending (or scheduled, when not due yet): the oldest of each spec that has no other open job, also none in
-- the flow that began with its job before. What waits at a gate is open, too. The specs are found one by one, past all
-- jobs of the one before.
WITH RECURSIVE waiting (spec) AS (
    SELECT MIN(spec) FROM jobs WHERE state = 'blocked' AND blocked_by = 'spec'
    UNION ALL
    SELECT (SELECT MIN(b.spec) FROM jobs b WHERE b.state = 'blocked' AND b.blocked_by = 'spec' AND b.spec > waiting.spec)
    FROM waiting WHERE waiting.spec IS NOT NULL
), first (id, spec) AS (
    SELECT (SELECT MIN(b.id) FROM jobs b WHERE b.spec = w.spec AND b.state = 'blocked' AND b.blocked_by = 'spec'), w.spec
    FROM waiting w WHERE w.spec IS NOT NULL
)
UPDATE jobs
SET state = CASE WHEN run_at > :now THEN 'scheduled' WHEN gated = 1 THEN 'blocked' ELSE 'pending' END,
    blocked_by = CASE WHEN run_at <= :now AND gated = 1 THEN 'gate' END, reason = NULL, updated_at = :now
WHERE state = 'blocked' AND id IN (
    SELECT f.id FROM first f
    WHERE NOT EXISTS (
        SELECT 1 FROM jobs o
        WHERE o.spec = f.spec AND o.state IN ('scheduled', 'pending', 'processing', 'failed'))
      AND NOT EXISTS (
        SELECT 1 FROM jobs o
        WHERE o.spec = f.spec AND o.state = 'blocked' AND o.id < f.id AND o.blocked_by = 'gate')
      AND NOT EXISTS (
        SELECT 1 FROM jobs o
        WHERE o.flow = (
            SELECT b.flow FROM jobs b
            WHERE b.id = (SELECT MAX((SELECT MAX(e.id) FROM jobs e
                WHERE e.spec = f.spec AND e.state = ends.column1 AND e.id < f.id))
                FROM (VALUES ('completed'), ('dead'), ('cancelled')) AS ends))
          AND (o.state IN ('scheduled', 'pending', 'processing', 'failed')
            OR o.state = 'blocked' AND o.blocked_by = 'gate')))
RETURNING id;

-- name: expire
-- blocked or pending → cancelled: could not start within its spec's start_within.
UPDATE jobs
SET state = 'cancelled', blocked_by = NULL, reason = :reason, finished_at = :now, updated_at = :now
WHERE id IN (
    SELECT id FROM jobs
    WHERE expires_at IS NOT NULL AND state IN ('blocked', 'pending') AND expires_at < :now AND attempt = 0
    LIMIT :limit)
RETURNING id, flow;

-- name: keep_as_own_spec_says
-- Of a job that no attempt ended.
UPDATE jobs SET own_keep = 1, purge_at = :purge_at WHERE id = :id;

-- name: cancel_waiting
-- blocked, scheduled, pending or failed → cancelled.
UPDATE jobs
SET state = 'cancelled', blocked_by = NULL, reason = :reason, finished_at = :now, updated_at = :now
WHERE id = :id AND state IN ('blocked', 'scheduled', 'pending', 'failed')
RETURNING *;

-- name: request_cancel
-- processing stays; its worker stops the attempt and finishes it as cancelled.
UPDATE jobs
SET cancel_requested_at = :now, reason = :reason, updated_at = :now
WHERE id = :id AND state = 'processing'
RETURNING *;

-- name: cancel_requests
SELECT id FROM jobs WHERE worker_id = :worker AND state = 'processing' AND cancel_requested_at IS NOT NULL;

-- name: retry
-- dead or cancelled → pending, failures and losses at 0.
UPDATE jobs
SET state = CASE CAST(:gated AS INTEGER) WHEN 0 THEN 'pending' ELSE 'blocked' END,
    blocked_by = CASE CAST(:gated AS INTEGER) WHEN 0 THEN NULL ELSE 'gate' END, gated = :gated, slot = :slot,
    slot_limit = :slot_limit, on_conflict = :on_conflict, interval_us = :interval_us,
    frozen = :frozen, spec_version = :spec_version, queue = :queue, priority = :priority, run_at = :now, expires_at = NULL, failures = 0, losses = 0, reason = NULL, exit_code = NULL, own_keep = 0,
    purge_at = NULL, cancel_requested_at = NULL, finished_at = NULL, updated_at = :now
WHERE id = :id AND state IN ('dead', 'cancelled')
RETURNING *;

-- name: hurry
-- failed → pending without waiting for its backoff.
UPDATE jobs
SET state = CASE gated WHEN 0 THEN 'pending' ELSE 'blocked' END, blocked_by = CASE gated WHEN 0 THEN NULL ELSE 'gate' END,
    run_at = :now, updated_at = :now
WHERE id = :id AND state = 'failed'
RETURNING *;

-- name: refreeze
-- A waiting job gets its spec as it is now; pending, scheduled and blocked ones may change their due time. A pending one
-- → blocked where there is a gate, and back where there is none any more.
UPDATE jobs
SET frozen = :frozen, spec_version = :spec_version, queue = :queue, priority = :priority, gated = :gated, slot = :slot,
    slot_limit = :slot_limit, on_conflict = :on_conflict, interval_us = :interval_us,
    run_at = COALESCE(CAST(:run_at AS INTEGER), run_at),
    state = CASE
        WHEN state = 'failed' OR blocked_by IN ('spec', 'needs') THEN state
        WHEN CAST(:run_at AS INTEGER) IS NULL AND state = 'scheduled' THEN state
        WHEN :run_at > :now THEN 'scheduled'
        WHEN CAST(:gated AS INTEGER) = 1 THEN 'blocked'
        ELSE 'pending' END,
    blocked_by = CASE
        WHEN state = 'failed' OR blocked_by IN ('spec', 'needs') THEN blocked_by
        WHEN CAST(:run_at AS INTEGER) IS NULL AND state = 'scheduled' THEN NULL
        WHEN :run_at > :now THEN NULL
        WHEN CAST(:gated AS INTEGER) = 1 THEN 'gate' END,
    updated_at = :now
WHERE id = :id AND state IN ('blocked', 'scheduled', 'pending', 'failed')
RETURNING *;

-- name: open_jobs_of_spec
SELECT * FROM jobs
WHERE spec = :spec AND state IN ('blocked', 'scheduled', 'pending', 'processing', 'failed') ORDER BY id;

-- name: jobs_in_the_way
WITH latest (flow) AS (
    SELECT flow FROM jobs WHERE id = (
        SELECT MAX((SELECT MAX(e.id) FROM jobs e WHERE e.spec = :spec AND e.state = states.column1))
        FROM (VALUES ('blocked'), ('scheduled'), ('pending'), ('processing'), ('failed'), ('completed'), ('dead'),
            ('cancelled')) AS states)
)
SELECT * FROM jobs WHERE id IN (
    SELECT id FROM jobs
    WHERE spec = :spec AND state IN ('blocked', 'scheduled', 'pending', 'processing', 'failed')
    UNION ALL
    SELECT id FROM jobs
    WHERE flow = (SELECT flow FROM latest) AND state IN ('blocked', 'scheduled', 'pending', 'processing', 'failed')
      AND EXISTS (SELECT 1 FROM jobs o
        WHERE o.flow = (SELECT flow FROM latest) AND (o.state IN ('scheduled', 'pending', 'processing', 'failed')
          OR o.state = 'blocked' AND o.blocked_by = 'gate')))
ORDER BY state = 'blocked' AND blocked_by = 'needs' DESC, id;

-- name: busy
-- Whether anything is pending, processing, or waiting for a retry or its rate in the served queues that aren't paused.
SELECT
    EXISTS (SELECT 1 FROM jobs j WHERE j.state = 'processing'
        AND (CAST(:queues AS TEXT) IS NULL OR j.queue IN (SELECT value FROM json_each(:queues))))
    OR EXISTS (SELECT 1 FROM queues q WHERE q.paused_at IS NULL
        AND (CAST(:queues AS TEXT) IS NULL OR q.name IN (SELECT value FROM json_each(:queues)))
        AND (EXISTS (SELECT 1 FROM jobs j WHERE j.state = 'pending' AND j.queue = q.name)
          OR EXISTS (SELECT 1 FROM jobs j
              WHERE j.state = 'failed' AND j.queue = q.name AND j.state <> 'processing')))
    OR EXISTS (SELECT 1 FROM jobs j JOIN queues q ON q.name = j.queue
        WHERE j.interval_us IS NOT NULL AND j.state = 'blocked' AND j.blocked_by = 'gate' AND q.paused_at IS NULL
          AND (CAST(:queues AS TEXT) IS NULL OR q.name IN (SELECT value FROM json_each(:queues)))
          AND NOT EXISTS (SELECT 1 FROM jobs h
              WHERE h.slot = j.slot AND h.slot IS NOT NULL AND h.state IN ('pending', 'processing'))) AS busy;

-- name: any_pending
SELECT EXISTS (SELECT 1 FROM jobs WHERE state = 'pending') AS any_pending;

-- name: any_blocked
-- By an earlier job of its spec, or at a gate: what waits for its needs is released when these end.
SELECT EXISTS (SELECT 1 FROM jobs WHERE state = 'blocked' AND blocked_by = 'spec')
    OR EXISTS (SELECT 1 FROM jobs WHERE slot IS NOT NULL AND state = 'blocked' AND blocked_by = 'gate')
    OR EXISTS (SELECT 1 FROM jobs WHERE slot IS NULL AND state = 'blocked' AND blocked_by = 'gate') AS any_blocked;

-- name: next_job_deadline
SELECT MIN(at) AS at FROM (
    SELECT MIN(run_at) AS at FROM jobs WHERE state = 'scheduled' AND state IN ('scheduled', 'failed')
    UNION ALL
    SELECT MIN(run_at) FROM jobs WHERE state = 'failed' AND state IN ('scheduled', 'failed')
    UNION ALL
    SELECT MIN(expires_at) + 1 FROM jobs
    WHERE expires_at IS NOT NULL AND state IN ('blocked', 'pending') AND attempt = 0
) AS deadlines;

-- name: delete_jobs
DELETE FROM jobs WHERE id IN (SELECT value FROM json_each(:ids))
    AND state IN ('blocked', 'scheduled', 'pending', 'failed', 'completed', 'dead', 'cancelled')
RETURNING id;

-- name: purgeable_jobs
-- Final jobs, in no order: sorting them would take longer than deleting a batch.
SELECT id FROM jobs
WHERE state = :state AND own_keep IN (0, 1) AND state <> 'processing' AND updated_at <= :before
  AND finished_at IS NOT NULL
LIMIT :limit;

-- name: purgeable_jobs_of_queue
SELECT id FROM jobs
WHERE state = :state AND queue = :queue AND state <> 'processing' AND finished_at <= :before
LIMIT :limit;

-- name: waiting_jobs_of_queue
SELECT id FROM jobs WHERE state = 'blocked' AND queue = :queue AND state <> 'processing'
UNION ALL
SELECT id FROM jobs WHERE state = 'scheduled' AND queue = :queue AND state <> 'processing'
UNION ALL
SELECT id FROM jobs WHERE state = 'pending' AND queue = :queue AND state <> 'processing'
UNION ALL
SELECT id FROM jobs WHERE state = 'failed' AND queue = :queue AND state <> 'processing'
ORDER BY id LIMIT :limit;

-- name: overdue_history
-- Finished longer ago than the age that their own spec set.
SELECT id FROM jobs WHERE purge_at IS NOT NULL AND purge_at <= :now ORDER BY purge_at LIMIT :limit;

-- name: aged_history
-- What is final has changed for the last time when it finished.
SELECT id FROM jobs
WHERE state = :state AND own_keep = 0 AND state <> 'processing' AND updated_at < :before AND finished_at IS NOT NULL
ORDER BY updated_at LIMIT :limit;

-- name: history_size
SELECT COALESCE(SUM(jobs), 0) AS jobs FROM job_counts WHERE state = :state AND own_keep = 0;

-- name: surplus_history_of_spec
-- All but the newest :count of a final state. Those are counted off in the index, which is for a spec to choose.
SELECT id FROM jobs WHERE spec = :spec AND state = :state ORDER BY id DESC LIMIT :limit OFFSET :count;

-- name: average_duration
-- Over the latest :limit jobs that completed, the attempts that they completed with.
SELECT AVG(a.duration_ms) AS ms
FROM (
    SELECT id, attempt, updated_at FROM jobs
    WHERE state = 'completed' AND own_keep = 0 AND state <> 'processing'
    UNION ALL
    SELECT id, attempt, updated_at FROM jobs
    WHERE state = 'completed' AND own_keep = 1 AND state <> 'processing'
    ORDER BY updated_at DESC LIMIT :limit
) AS latest
JOIN attempts a ON a.job_id = latest.id AND a.number = latest.attempt;
