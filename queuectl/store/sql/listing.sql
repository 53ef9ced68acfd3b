-- name: newest_jobs
SELECT * FROM jobs
WHERE id < :before_id AND (CAST(:since AS INTEGER) IS NULL OR updated_at >= :since)
ORDER BY id DESC LIMIT :limit;

-- name: kinds_of_jobs
-- In which of these states there are jobs, of which queues, and how many.
SELECT state, queue, SUM(jobs) AS jobs FROM job_counts
WHERE jobs > 0 AND state IN (SELECT value FROM json_each(:states))
  AND (CAST(:queue AS TEXT) IS NULL OR queue = :queue)
GROUP BY state, queue;

-- name: newest_of_kind
-- Of a state other than processing.
SELECT id FROM jobs
WHERE state = :state AND queue = :queue AND id < :before_id AND state <> 'processing'
  AND (CAST(:since AS INTEGER) IS NULL OR updated_at >= :since)
ORDER BY id DESC LIMIT :limit;

-- name: newest_dead
-- Those that died last, without what they run; of an ad-hoc one the beginning of its command.
SELECT id, spec, reason, updated_at AS at, CASE WHEN spec IS NULL AND json_valid(frozen) THEN
    SUBSTR(frozen ->> '$.command', 1, :letters) END AS command
FROM jobs WHERE state = 'dead' AND own_keep = 0 AND state <> 'processing'
UNION ALL
SELECT id, spec, reason, updated_at AS at, CASE WHEN spec IS NULL AND json_valid(frozen) THEN
    SUBSTR(frozen ->> '$.command', 1, :letters) END AS command
FROM jobs WHERE state = 'dead' AND own_keep = 1 AND state <> 'processing'
ORDER BY at DESC LIMIT :limit;

-- name: newest_processing
-- They are few: "+" keeps the walk by id away.
SELECT id FROM jobs
WHERE state = :state AND state = 'processing' AND queue = :queue AND +id < :before_id
  AND (CAST(:since AS INTEGER) IS NULL OR updated_at >= :since)
ORDER BY +id DESC LIMIT :limit;

-- name: newest_of_spec
SELECT id FROM jobs
WHERE spec = :spec AND state = :state AND id < :before_id
  AND (CAST(:queue AS TEXT) IS NULL OR queue = :queue)
  AND (CAST(:since AS INTEGER) IS NULL OR updated_at >= :since)
ORDER BY id DESC LIMIT :limit;

-- name: changed_jobs
-- In no order.
SELECT id FROM jobs
WHERE state IN (SELECT value FROM json_each(:states)) AND own_keep IN (0, 1) AND state <> 'processing'
  AND updated_at >= :since
UNION ALL
SELECT id FROM jobs WHERE state = 'processing' AND updated_at >= :since
LIMIT :limit;

-- name: jobs_among
SELECT * FROM jobs
WHERE id IN (SELECT value FROM json_each(:ids)) AND id < :before_id
  AND state IN (SELECT value FROM json_each(:states))
  AND (CAST(:spec AS TEXT) IS NULL OR spec = :spec)
  AND (CAST(:queue AS TEXT) IS NULL OR queue = :queue)
ORDER BY id DESC LIMIT :limit;

-- name: newest_job_ids
SELECT id FROM jobs WHERE id < :before_id ORDER BY id DESC LIMIT :limit;

-- name: jobs_that_match
-- Of these ids, newest first. Their commands are looked through, never the values of their environment.
SELECT * FROM jobs
WHERE id IN (SELECT value FROM json_each(:ids)) AND id < :before_id
  AND state IN (SELECT value FROM json_each(:states))
  AND (CAST(:spec AS TEXT) IS NULL OR spec = :spec)
  AND (CAST(:queue AS TEXT) IS NULL OR queue = :queue)
  AND (CAST(:since AS INTEGER) IS NULL OR updated_at >= :since)
  AND (CAST(:pattern AS TEXT) IS NULL OR key LIKE :pattern ESCAPE '!' OR spec LIKE :pattern ESCAPE '!'
    OR reason LIKE :pattern ESCAPE '!'
    OR CASE WHEN json_valid(frozen) THEN frozen ->> '$.command' END LIKE :pattern ESCAPE '!')
ORDER BY id DESC LIMIT :limit;

-- name: jobs_with_ids_between
SELECT * FROM jobs WHERE id BETWEEN :low AND :high ORDER BY id DESC LIMIT :limit;

-- name: jobs_with_keys_between
SELECT * FROM jobs WHERE key IS NOT NULL AND key >= :low AND key < :high ORDER BY key LIMIT :limit;

-- name: names_of_specs_between
SELECT name FROM specs WHERE name >= :low AND name < :high ORDER BY name LIMIT :limit;

-- name: oldest_jobs
SELECT * FROM jobs WHERE id > :after_id ORDER BY id LIMIT :limit;

-- name: oldest_of_kind
-- Of a state other than processing.
SELECT id FROM jobs
WHERE state = :state AND queue = :queue AND id > :after_id AND state <> 'processing' ORDER BY id LIMIT :limit;

-- name: oldest_processing
-- They are few: "+" keeps the walk by id away.
SELECT id FROM jobs
WHERE state = :state AND state = 'processing' AND queue = :queue AND +id > :after_id ORDER BY +id LIMIT :limit;

-- name: oldest_of_spec
SELECT id FROM jobs WHERE spec = :spec AND state = :state AND id > :after_id ORDER BY id LIMIT :limit;

-- name: last_changed_of_kind
-- Of a state other than processing, before an instant.
SELECT id, updated_at FROM jobs
WHERE state = :state AND own_keep = :own_keep AND state <> 'processing' AND updated_at < :at AND updated_at >= :since
ORDER BY updated_at DESC, id DESC LIMIT :limit;

-- name: changed_then_of_kind
-- At that instant: there may be many.
SELECT id, updated_at FROM jobs
WHERE state = :state AND own_keep = :own_keep AND state <> 'processing' AND updated_at = :at AND id < :before_id
  AND updated_at >= :since
ORDER BY id DESC LIMIT :limit;

-- name: last_changed_processing
SELECT id, updated_at FROM jobs
WHERE state = 'processing' AND updated_at >= :since AND (updated_at < :at OR updated_at = :at AND +id < :before_id)
ORDER BY updated_at DESC, +id DESC LIMIT :limit;

-- name: jobs_with_ids
SELECT * FROM jobs WHERE id IN (SELECT value FROM json_each(:ids));
