-- name: register_worker
INSERT INTO workers (id, host, pid, pid_mark, slots, queues, started_at, beat_at)
VALUES (:id, :host, :pid, :pid_mark, :slots, :queues, :now, :now);

-- name: beat
-- No row: this worker was declared dead, or somebody removed it.
UPDATE workers SET beat = beat + 1, beat_at = :now WHERE id = :id RETURNING paused_at, stop;

-- name: worker_orders
SELECT paused_at, stop FROM workers WHERE id = :id;

-- name: remove_worker
-- A worker that leaves, or one that is declared dead: only if its counter still stands where it was seen.
DELETE FROM workers WHERE id = :id AND (CAST(:beat AS INTEGER) IS NULL OR beat = :beat) RETURNING id;

-- name: workers
SELECT w.*, (SELECT COUNT(*) FROM jobs j WHERE j.worker_id = w.id AND j.state = 'processing') AS running
FROM workers w ORDER BY w.started_at, w.id;

-- name: pause_worker
UPDATE workers SET paused_at = :now WHERE (CAST(:id AS TEXT) IS NULL OR id = :id) AND paused_at IS NULL RETURNING id;

-- name: resume_worker
UPDATE workers SET paused_at = NULL WHERE (CAST(:id AS TEXT) IS NULL OR id = :id) AND paused_at IS NOT NULL
RETURNING id;

-- name: stop_worker
-- A stop at once can't be taken back.
UPDATE workers SET stop = CASE WHEN stop = 'now' THEN 'now' ELSE :mode END
WHERE (CAST(:id AS TEXT) IS NULL OR id = :id) RETURNING id;

-- name: abandoned_workers
-- Ids that hold processing jobs but are registered no more.
SELECT DISTINCT j.worker_id AS id FROM jobs j
WHERE j.state = 'processing' AND NOT EXISTS (SELECT 1 FROM workers w WHERE w.id = j.worker_id);

-- name: know_queue
INSERT INTO queues (name) VALUES (:name) ON CONFLICT (name) DO NOTHING;

-- name: pause_queue
-- A reason may be given, or given anew, to one that is paused already.
INSERT INTO queues (name, paused_at, paused_by, pause_reason) VALUES (:name, :now, :who, :reason)
ON CONFLICT (name) DO UPDATE
SET paused_at = COALESCE(queues.paused_at, excluded.paused_at), paused_by = COALESCE(queues.paused_by, excluded.paused_by),
    pause_reason = COALESCE(excluded.pause_reason, queues.pause_reason)
WHERE queues.paused_at IS NULL OR excluded.pause_reason IS NOT NULL
RETURNING name;

-- name: resume_queue
UPDATE queues SET paused_at = NULL, paused_by = NULL, pause_reason = NULL
WHERE name = :name AND paused_at IS NOT NULL RETURNING name;

-- name: queues
SELECT q.name, q.paused_at, q.paused_by, q.pause_reason, q.running_limit, q.interval_us, q.next_us,
    (SELECT COALESCE(SUM(c.jobs), 0) FROM job_counts c WHERE c.queue = q.name
        AND c.state IN ('blocked', 'scheduled', 'pending', 'failed')) AS waiting,
    (SELECT COALESCE(SUM(c.jobs), 0) FROM job_counts c WHERE c.queue = q.name AND c.state = 'processing') AS processing
FROM queues q ORDER BY q.name;

-- name: settings
SELECT key, value FROM settings ORDER BY key;

-- name: set_setting
INSERT INTO settings (key, value) VALUES (:key, :value) ON CONFLICT (key) DO UPDATE SET value = :value;

-- name: unset_setting
DELETE FROM settings WHERE key = :key RETURNING key;

-- name: forget_settings
DELETE FROM settings RETURNING key;
