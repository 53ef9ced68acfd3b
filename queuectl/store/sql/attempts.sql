-- name: start_attempt
INSERT INTO attempts (job_id, number, worker_id, host, output_file, started_at)
VALUES (:job_id, :number, :worker, :host, :output_file, :now);

-- name: record_pid
UPDATE attempts SET pid = :pid, pid_mark = :pid_mark WHERE job_id = :job_id AND number = :number AND worker_id = :worker;

-- name: end_attempt
UPDATE attempts
SET pid = COALESCE(CAST(:pid AS INTEGER), pid), outcome = :outcome, exit_code = :exit_code, signal = :signal,
    error = :error, finished_at = :now,
    duration_ms = MAX(0, :now - started_at), output = :output, output_bytes = :output_bytes,
    output_file = :output_file, truncated = :truncated, cpu_ms = :cpu_ms, max_rss_kib = :max_rss_kib
WHERE job_id = :job_id AND number = :number AND outcome IS NULL
RETURNING duration_ms;

-- name: attempts_of_job
SELECT * FROM attempts WHERE job_id = :job_id ORDER BY number;

-- name: latest_attempts_of_job
-- Without what they wrote.
SELECT job_id, number, worker_id, host, pid, pid_mark, outcome, exit_code, signal, error, started_at, finished_at,
    duration_ms, output_bytes, output_file, truncated, cpu_ms, max_rss_kib, NULL AS output
FROM attempts WHERE job_id = :job_id ORDER BY number DESC LIMIT :limit;

-- name: attempt
SELECT * FROM attempts WHERE job_id = :job_id AND number = :number;

-- name: running_attempts_of_worker
SELECT a.* FROM jobs j JOIN attempts a ON a.job_id = j.id AND a.number = j.attempt
WHERE j.worker_id = :worker AND j.state = 'processing' ORDER BY j.id;

-- name: forget_attempts
-- Of jobs that don't run, like delete_jobs.
DELETE FROM attempts
WHERE job_id IN (SELECT id FROM jobs WHERE id IN (SELECT value FROM json_each(:ids)) AND state <> 'processing')
RETURNING output_file;

-- name: latest_runs_of_specs
-- The newest jobs of some specs that an attempt has begun of, with the last one.
SELECT j.spec, j.id, j.state, a.outcome, a.started_at, a.finished_at
FROM json_each(:specs) n
JOIN jobs j ON j.id IN (
    SELECT id FROM jobs WHERE spec = n.value AND state = 'processing' UNION ALL
    SELECT id FROM jobs WHERE spec = n.value AND state = 'failed' UNION ALL
    SELECT id FROM jobs WHERE spec = n.value AND state = 'completed' UNION ALL
    SELECT id FROM jobs WHERE spec = n.value AND state = 'dead' UNION ALL
    SELECT id FROM jobs WHERE spec = n.value AND state = 'cancelled'
    ORDER BY id DESC LIMIT :limit)
JOIN attempts a ON a.job_id = j.id AND a.number = j.attempt;

-- name: last_output
-- The end of what the last attempts of some jobs wrote.
SELECT a.job_id, SUBSTR(a.output, -:bytes) AS output FROM json_each(:ids) n
JOIN jobs j ON j.id = n.value JOIN attempts a ON a.job_id = j.id AND a.number = j.attempt;

-- name: runs_of_specs
-- The last attempts of the newest jobs of some specs, as many of each state.
SELECT j.spec, j.id, j.state, a.outcome, a.started_at, a.finished_at
FROM json_each(:specs) n CROSS JOIN json_each(:states) s
JOIN jobs j ON j.id IN (
    SELECT x.id FROM jobs x WHERE x.spec = n.value AND x.state = s.value ORDER BY x.id DESC LIMIT :limit)
JOIN attempts a ON a.job_id = j.id AND a.number = j.attempt
WHERE a.started_at >= :since OR a.outcome IS NULL;
