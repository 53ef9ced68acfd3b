-- name: integrity_check
PRAGMA integrity_check(20);

-- name: quick_check
PRAGMA quick_check(20);

-- name: broken_references
PRAGMA foreign_key_check;

-- name: schema_version
PRAGMA user_version;

-- name: parts_of_schema
SELECT type, name FROM sqlite_schema WHERE name NOT LIKE 'sqlite\_%' ESCAPE '\';

-- name: job_bytes
-- As bytes: what is damaged may be no text any more.
SELECT id, CAST(frozen AS BLOB) AS body, CAST(state AS BLOB) AS state,
    CAST(COALESCE(key, '') || COALESCE(spec, '') || queue || COALESCE(reason, '') || COALESCE(worker_id, '') AS BLOB)
        AS texts
FROM jobs WHERE id > :after ORDER BY id LIMIT :limit;

-- name: attempt_bytes
SELECT rowid AS at, job_id, number, CAST(COALESCE(outcome, '') AS BLOB) AS outcome,
    CAST(worker_id || host || COALESCE(signal, '') || COALESCE(error, '') || COALESCE(output_file, '') AS BLOB) AS texts
FROM attempts WHERE rowid > :after ORDER BY rowid LIMIT :limit;

-- name: spec_bytes
SELECT CAST(name AS BLOB) AS name, CAST(body AS BLOB) AS body FROM specs;

-- name: spec_version_bytes
SELECT rowid AS at, CAST(spec AS BLOB) AS name, version, CAST(body AS BLOB) AS body
FROM spec_versions WHERE rowid > :after ORDER BY rowid LIMIT :limit;

-- name: latest_instant
-- By the clocks of all who wrote.
SELECT MAX(at) AS at FROM (
    SELECT MAX(updated_at) AS at FROM jobs WHERE state <> 'processing'
    UNION ALL SELECT MAX(updated_at) FROM jobs WHERE state = 'processing'
    UNION ALL SELECT MAX(beat_at) FROM workers
    UNION ALL SELECT MAX(updated_at) FROM specs
    UNION ALL SELECT MAX(at) FROM applies);

-- name: attempts_among
SELECT a.job_id, a.number FROM json_each(:attempts) JOIN attempts a
ON a.job_id = value ->> 0 AND a.number = value ->> 1;

-- name: kept_outputs
SELECT rowid AS at, output_file FROM attempts
WHERE rowid > :after AND output_file IS NOT NULL AND outcome IS NOT NULL ORDER BY rowid LIMIT :limit;
