-- name: count_attempt
-- One more has ended.
INSERT INTO attempt_counts (spec, queue, outcome, took_le, waited_le, attempts, took_ms, waited_ms, last_at)
VALUES (:spec, :queue, :outcome, :took_le, :waited_le, 1, :took_ms, :waited_ms, :now)
ON CONFLICT (spec, queue, outcome, took_le, waited_le) DO UPDATE
SET attempts = attempt_counts.attempts + 1, took_ms = attempt_counts.took_ms + excluded.took_ms,
    waited_ms = attempt_counts.waited_ms + excluded.waited_ms, last_at = excluded.last_at;

-- name: end_of_attempt
SELECT finished_at FROM attempts WHERE job_id = :job_id AND number = :number;

-- name: attempts_of_specs
-- A spec whose jobs were in several queues is there as often: so the rows come in the order of the key.
SELECT spec, outcome, SUM(attempts) AS attempts, MAX(last_at) AS last_at FROM attempt_counts
GROUP BY spec, queue, outcome;

-- name: attempts_by_duration
SELECT queue, took_le AS le, SUM(attempts) AS attempts, SUM(took_ms) AS ms FROM attempt_counts GROUP BY queue, took_le;

-- name: attempts_by_wait
SELECT queue, waited_le AS le, SUM(attempts) AS attempts, SUM(waited_ms) AS ms FROM attempt_counts
GROUP BY queue, waited_le;

-- name: job_counts
SELECT queue, state, SUM(jobs) AS jobs FROM job_counts GROUP BY queue, state;

-- name: next_fire_of_each_spec
-- Not of paused ones, which won't.
SELECT name, next_fire_at FROM specs
WHERE pruned_at IS NULL AND next_fire_at IS NOT NULL AND paused_at IS NULL AND body NOT LIKE '%"paused":true%';
