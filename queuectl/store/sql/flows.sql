-- name: needed_specs
-- Those of the specs that live ones need.
SELECT value AS name FROM json_each(:names) n
WHERE EXISTS (
    SELECT 1 FROM spec_needs b JOIN specs s ON s.name = b.spec AND s.pruned_at IS NULL WHERE b.needs = n.value);

-- name: specs_below
-- All live specs that need a spec, directly or not.
WITH RECURSIVE below (name) AS (
    SELECT spec FROM spec_needs WHERE needs = :name
    UNION
    SELECT n.spec FROM below JOIN spec_needs n ON n.needs = below.name
)
SELECT * FROM specs WHERE name IN (SELECT name FROM below) AND pruned_at IS NULL ORDER BY name;

-- name: forget_spec_needs
DELETE FROM spec_needs WHERE spec IN (SELECT value FROM json_each(:names));

-- name: write_spec_needs
INSERT INTO spec_needs (spec, needs, ends) SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(:needs);

-- name: flow_that_waits_for_spec
-- The oldest flow in which a job waits for the next one of a spec.
SELECT MIN(j.flow) AS flow FROM needs n JOIN jobs j ON j.id = n.job_id
WHERE n.spec = :spec AND n.needs_id IS NULL AND j.state = 'blocked';

-- name: fill_needs
-- The job of a spec is made that others in a flow wait for.
UPDATE needs SET needs_id = :id
WHERE spec = :spec AND needs_id IS NULL AND job_id IN (SELECT id FROM jobs WHERE flow = :flow) RETURNING job_id;

-- name: enter_flow
UPDATE jobs SET flow = :flow WHERE id IN (SELECT value FROM json_each(:ids)) AND flow IS NULL;

-- name: jobs_of_flow
SELECT * FROM jobs WHERE flow = :flow ORDER BY id;

-- name: times_of_flow
-- When each job of a flow first started, and for how long its last attempt has run.
SELECT a.job_id, MIN(a.started_at) AS started_at, MAX(CASE WHEN a.number = j.attempt THEN a.duration_ms END) AS took_ms
FROM jobs j JOIN attempts a ON a.job_id = j.id WHERE j.flow = :flow GROUP BY a.job_id;

-- name: newest_jobs_of_flow
SELECT spec, MAX(id) AS id FROM jobs WHERE flow = :flow AND spec IS NOT NULL GROUP BY spec;

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
-- blocked → pending, or scheduled where it isn't due: all that the job needs is met.
UPDATE jobs
SET state = CASE WHEN run_at > :now THEN 'scheduled' WHEN gated = 1 THEN 'blocked' ELSE 'pending' END,
    blocked_by = CASE WHEN run_at <= :now AND gated = 1 THEN 'gate' END, reason = NULL, updated_at = :now
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
-- Jobs that wait for one of these, whatever becomes of it.
SELECT n.job_id, n.needs_id FROM needs n JOIN jobs j ON j.id = n.job_id
WHERE n.needs_id IN (SELECT value FROM json_each(:ids)) AND n.met = 0 AND j.state = 'blocked' AND j.blocked_by = 'needs';

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
