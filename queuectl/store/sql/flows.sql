-- name: needed_specs
-- Those of the specs that live ones need.
SELECT value AS name FROM json_each(:names) n
WHERE EXISTS (
    SELECT 1 FROM spec_needs b JOIN specs s ON s.name = b.spec AND s.pruned_at IS NULL WHERE b.needs = n.value);

-- name: specs_below
-- The live specs that need a spec, directly or not, and have no job in a flow yet.
WITH RECURSIVE below (name) AS (
    SELECT spec FROM spec_needs WHERE needs = :name
    UNION
    SELECT n.spec FROM below JOIN spec_needs n ON n.needs = below.name
)
SELECT * FROM specs
WHERE name IN (SELECT name FROM below) AND pruned_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.flow = :flow AND j.spec = specs.name)
ORDER BY name;

-- name: forget_spec_needs
DELETE FROM spec_needs WHERE spec IN (SELECT value FROM json_each(:names));

-- name: write_spec_needs
INSERT INTO spec_needs (spec, needs, ends) SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(:needs);

-- name: flow_that_waits_for_spec
-- The oldest flow without a job of a spec in which one waits for the next job of that, or of a spec below it: a job of
-- the spec brings them with it.
WITH RECURSIVE made (name) AS (
    VALUES (:spec)
    UNION
    SELECT n.spec FROM made JOIN spec_needs n ON n.needs = made.name
    JOIN specs s ON s.name = n.spec AND s.pruned_at IS NULL
)
SELECT MIN(j.flow) AS flow FROM made CROSS JOIN needs n ON n.spec = made.name AND n.needs_id IS NULL
JOIN jobs j ON j.id = n.job_id AND j.state = 'blocked'
WHERE NOT EXISTS (SELECT 1 FROM jobs r WHERE r.flow = j.flow AND r.spec = :spec);

-- name: fill_needs
-- Jobs of specs are made that others in a flow wait for; :made is an array of spec and job.
UPDATE needs SET needs_id = made.value ->> 1 FROM json_each(:made) AS made
WHERE needs.spec = made.value ->> 0 AND needs.needs_id IS NULL
  AND EXISTS (SELECT 1 FROM jobs j WHERE j.id = needs.job_id AND j.flow = :flow);

-- name: enter_flow
UPDATE jobs SET flow = :flow WHERE id IN (SELECT value FROM json_each(:ids)) AND flow IS NULL;

-- name: jobs_of_flow
SELECT * FROM jobs WHERE flow = :flow ORDER BY id;

-- name: times_of_flow
-- When each job of a flow first started, and for how long its last attempt has run.
SELECT a.job_id, MIN(a.started_at) AS started_at, MAX(CASE WHEN a.number = j.attempt THEN a.duration_ms END) AS took_ms
FROM jobs j JOIN attempts a ON a.job_id = j.id WHERE j.flow = :flow GROUP BY a.job_id;

-- name: jobs_of_flow_by_spec
-- The latest job of each of some specs in a flow.
SELECT s.value AS spec, (SELECT MAX(j.id) FROM jobs j WHERE j.flow = :flow AND j.spec = s.value) AS id
FROM json_each(:specs) AS s;

-- name: add_needs
INSERT INTO needs (job_id, spec, needs_id, ends, met)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(:needs);

-- name: needs_of_flow
SELECT n.job_id, n.spec, n.needs_id, n.ends, n.met FROM needs n JOIN jobs j ON j.id = n.job_id
WHERE j.flow = :flow ORDER BY n.id;

-- name: needs_of_job
SELECT job_id, spec, needs_id, ends, met FROM needs WHERE job_id = :id ORDER BY id;

-- name: said_by_needs
-- What the jobs said that a job needs.
SELECT COALESCE(j.spec, j.key, CAST(j.id AS TEXT)) AS name, j.said FROM needs n JOIN jobs j ON j.id = n.needs_id
WHERE n.job_id = :id AND j.said IS NOT NULL ORDER BY n.id;

-- name: meet_needs
-- A job has ended as others need it.
UPDATE needs SET met = 1 WHERE needs_id = :id AND met = 0 AND ends IN (:state, 'finished') RETURNING job_id;

-- name: release
-- blocked → pending, or scheduled where it isn't due: all that the job needs is met. It could not have run before.
UPDATE jobs
SET state = CASE WHEN run_at > :now THEN 'scheduled' WHEN gated = 1 THEN 'blocked' ELSE 'pending' END,
    blocked_by = CASE WHEN run_at <= :now AND gated = 1 THEN 'gate' END, reason = NULL, run_at = MAX(run_at, :now),
    updated_at = :now
WHERE state = 'blocked' AND blocked_by = 'needs' AND id IN (SELECT value FROM json_each(:ids))
  AND NOT EXISTS (SELECT 1 FROM needs n WHERE n.job_id = jobs.id AND n.met = 0)
RETURNING id;

-- name: users_left_waiting
-- Jobs that wait for one that has ended otherwise than they need it.
SELECT n.job_id, n.ends FROM needs n JOIN jobs j ON j.id = n.job_id
WHERE n.needs_id = :id AND n.met = 0 AND j.state = 'blocked' AND j.blocked_by = 'needs';

-- name: explain_blocked
UPDATE jobs SET reason = :reason, updated_at = :now
WHERE state = 'blocked' AND blocked_by = 'needs' AND id IN (SELECT value FROM json_each(:ids));

-- name: users_left_behind
-- Jobs that wait for one of these; those that run are not deleted.
SELECT n.job_id, n.needs_id FROM needs n JOIN jobs j ON j.id = n.job_id
WHERE n.needs_id IN (SELECT value FROM json_each(:ids)) AND n.met = 0 AND j.state = 'blocked' AND j.blocked_by = 'needs'
  AND EXISTS (SELECT 1 FROM jobs x WHERE x.id = n.needs_id AND x.state <> 'processing');

-- name: ended_among
SELECT id, flow, state FROM jobs
WHERE id IN (SELECT value FROM json_each(:ids)) AND state IN ('completed', 'dead', 'cancelled');

-- name: waive_needs
-- A retried job waits no more for what can't end as it needs it: it has completed, or was deleted.
UPDATE needs SET met = 1
WHERE job_id = :id AND met = 0 AND needs_id IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.id = needs.needs_id AND j.state <> 'completed');

-- name: block_again
-- A retried job → blocked, where what it needs isn't met.
UPDATE jobs SET state = 'blocked', blocked_by = 'needs', reason = :reason, updated_at = :now
WHERE id = :id AND state IN ('blocked', 'pending') AND EXISTS (SELECT 1 FROM needs n WHERE n.job_id = jobs.id AND n.met = 0)
RETURNING *;

-- name: open_jobs_of_flow
SELECT id FROM jobs
WHERE flow = :flow AND state IN ('blocked', 'scheduled', 'pending', 'processing', 'failed') ORDER BY id DESC;
