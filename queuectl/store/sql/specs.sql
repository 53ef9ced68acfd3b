-- name: record_apply
INSERT INTO applies (at, who, source, git_commit, git_dirty)
VALUES (:at, :who, :source, :git_commit, :git_dirty) RETURNING id;

-- name: apply_record
SELECT * FROM applies WHERE id = :id;

-- name: specs
SELECT * FROM specs WHERE pruned_at IS NULL ORDER BY name;

-- name: spec_names
SELECT name FROM specs WHERE pruned_at IS NULL ORDER BY name;

-- name: specs_after
SELECT * FROM specs WHERE name > :after AND pruned_at IS NULL ORDER BY name LIMIT :limit;

-- name: all_specs
SELECT * FROM specs ORDER BY name;

-- name: spec
SELECT * FROM specs WHERE name = :name;

-- name: specs_page
-- Live ones by name from the one behind :after on, with a text in what people know them by, of a kind each.
SELECT * FROM specs
WHERE name > :after AND pruned_at IS NULL
  AND (CAST(:text AS TEXT) IS NULL OR LOWER(name) LIKE :text ESCAPE '!' OR LOWER(file) LIKE :text ESCAPE '!'
    OR CASE WHEN json_valid(body) THEN LOWER(COALESCE(body ->> '$.description', '') || ' ' || (body ->> '$.command'))
        LIKE :text ESCAPE '!' END)
  AND CASE :kind
    WHEN 'scheduled' THEN next_due_at IS NOT NULL
    WHEN 'paused' THEN paused_at IS NOT NULL OR body LIKE '%"paused":true%'
    WHEN 'orphaned' THEN orphaned = 1
    ELSE TRUE END
ORDER BY name LIMIT :limit;

-- name: count_specs
SELECT COUNT(*) AS specs, COUNT(next_due_at) AS scheduled, COALESCE(SUM(orphaned), 0) AS orphaned,
    COUNT(CASE WHEN paused_at IS NOT NULL OR body LIKE '%"paused":true%' THEN 1 END) AS paused
FROM specs WHERE pruned_at IS NULL;

-- name: versions_of_spec
-- From version :newest down.
SELECT v.version, v.body, v.at, a.who, a.source, a.git_commit, a.git_dirty
FROM spec_versions v JOIN applies a ON a.id = v.apply_id
WHERE v.spec = :spec AND v.version <= :newest ORDER BY v.version DESC LIMIT :limit;

-- name: write_specs
-- Nothing → version 1; a changed spec, or a pruned one that is back: one version up.
INSERT INTO specs (name, source, file, version, body, apply_id, created_at, updated_at, next_due_at, next_fire_at)
SELECT value ->> 0, :source, value ->> 1, 1, value ->> 2, :apply_id, :now, :now, value ->> 3, value ->> 4
FROM json_each(:specs) WHERE TRUE
ON CONFLICT (name) DO UPDATE
SET source = excluded.source, file = excluded.file, version = specs.version + 1, body = excluded.body,
    apply_id = excluded.apply_id, updated_at = excluded.updated_at, next_due_at = excluded.next_due_at,
    next_fire_at = excluded.next_fire_at, orphaned = 0, pruned_at = NULL
RETURNING name, version;

-- name: record_spec_versions
INSERT INTO spec_versions (spec, version, body, apply_id, at)
SELECT s.name, s.version, s.body, s.apply_id, s.updated_at FROM json_each(:names) n JOIN specs s ON s.name = n.value;

-- name: spec_version
SELECT body, apply_id, at FROM spec_versions WHERE spec = :spec AND version = :version;

-- name: move_spec
-- The same spec in another file or source: no new version.
UPDATE specs SET source = :source, file = :file, orphaned = 0 WHERE name = :name;

-- name: orphan_spec
UPDATE specs SET orphaned = 1 WHERE name = :name AND orphaned = 0;

-- name: prune_spec
UPDATE specs SET pruned_at = :now, next_due_at = NULL, next_fire_at = NULL, orphaned = 0
WHERE name = :name AND pruned_at IS NULL RETURNING name;

-- name: spec_files
SELECT path, digest, specs FROM spec_files;

-- name: remember_spec_files
INSERT INTO spec_files (path, source, digest, specs)
SELECT value ->> 0, :source, value ->> 1, value ->> 2 FROM json_each(:files) WHERE TRUE
ON CONFLICT (path) DO UPDATE SET source = excluded.source, digest = excluded.digest, specs = excluded.specs;

-- name: forget_spec_files
-- All of a source but those.
DELETE FROM spec_files WHERE source = :source AND path NOT IN (SELECT value FROM json_each(:paths));

-- name: make_jobs_of_specs
-- Nothing → blocked, scheduled or pending: a job of a spec each.
INSERT INTO jobs (spec, spec_version, frozen, state, queue, priority, run_at, expires_at, fire_at, reason,
                  blocked_by, flow, gated, slot, slot_limit, on_conflict, interval_us, created_at, updated_at)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
       value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, value ->> 14,
       value ->> 15, value ->> 16, :now, :now
FROM json_each(:jobs) AS job WHERE TRUE ORDER BY job.key
RETURNING id, spec, fire_at;

-- name: specs_with_open_jobs
-- Also those with such a job in the flow that their newest job began or joined; what is blocked there, but for a gate,
-- waits for one of the others, or for nothing that will happen by itself.
SELECT value AS name FROM json_each(:names) n
WHERE EXISTS (SELECT 1 FROM jobs
    WHERE spec = n.value AND state IN ('blocked', 'scheduled', 'pending', 'processing', 'failed'))
   OR EXISTS (SELECT 1 FROM jobs o
    WHERE o.flow = (SELECT b.flow FROM jobs b WHERE b.id = (
        SELECT MAX((SELECT MAX(e.id) FROM jobs e WHERE e.spec = n.value AND e.state = ends.column1))
        FROM (VALUES ('completed'), ('dead'), ('cancelled')) AS ends))
      AND (o.state IN ('scheduled', 'pending', 'processing', 'failed') OR o.state = 'blocked' AND o.blocked_by = 'gate'));

-- name: far_specs
-- Those that are due later than a day from now, or ever so late; or that count in an interval which is shorter.
SELECT * FROM specs
WHERE name > :after AND pruned_at IS NULL AND next_due_at > :now
  AND (next_due_at > :beyond OR next_due_at > :now
      + CAST(CASE WHEN json_valid(body) THEN body ->> '$.schedule.every_ms' END AS INTEGER))
ORDER BY name LIMIT :limit;

-- name: specs_that_keep_counts
-- Pruned ones too, and now and then one that doesn't.
SELECT name, body FROM specs WHERE name > :after AND body LIKE '%"count":%' ORDER BY name LIMIT :limit;

-- name: due_specs
SELECT * FROM specs WHERE pruned_at IS NULL AND next_fire_at IS NOT NULL AND next_fire_at <= :now
ORDER BY next_fire_at LIMIT :limit;

-- name: advance_specs
-- The schedules move on; each only if nobody else has moved it.
UPDATE specs SET next_due_at = value ->> 2, next_fire_at = value ->> 3,
    last_fire_at = COALESCE(CAST(value ->> 4 AS INTEGER), last_fire_at),
    created_at = COALESCE(CAST(value ->> 5 AS INTEGER), created_at)
FROM json_each(:moves)
WHERE name = value ->> 0 AND next_due_at = value ->> 1 RETURNING name;

-- name: next_spec_deadline
SELECT MIN(next_fire_at) AS at FROM specs WHERE pruned_at IS NULL AND next_fire_at IS NOT NULL;

-- name: next_fires
SELECT * FROM specs WHERE pruned_at IS NULL AND next_fire_at IS NOT NULL ORDER BY next_fire_at LIMIT :limit;

-- name: pause_spec
-- A reason may be given, or given anew, to one that is paused already.
UPDATE specs
SET paused_at = COALESCE(paused_at, :now), paused_by = COALESCE(paused_by, :who), pause_reason = COALESCE(:reason, pause_reason)
WHERE name = :name AND pruned_at IS NULL AND (paused_at IS NULL OR CAST(:reason AS TEXT) IS NOT NULL)
RETURNING name;

-- name: resume_spec
UPDATE specs SET paused_at = NULL, paused_by = NULL, pause_reason = NULL
WHERE name = :name AND paused_at IS NOT NULL RETURNING name;

-- name: mark_done
-- What a spec without a schedule has made its latest job for.
UPDATE specs SET done_digest = value ->> 1, last_job_id = value ->> 2 FROM json_each(:done) WHERE name = value ->> 0;

-- name: forget_done
UPDATE specs SET done_digest = NULL WHERE name = :name;

-- name: record_fire
INSERT INTO fires (spec, due_at, until, count, outcome, job_id, reason)
VALUES (:spec, :due_at, :until, :count, :outcome, :job_id, :reason)
ON CONFLICT (spec, due_at) DO NOTHING RETURNING due_at;

-- name: record_fires
-- Due instants that aren't in the ledger yet.
INSERT INTO fires (spec, due_at, outcome, reason)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(:fires) WHERE TRUE
ON CONFLICT (spec, due_at) DO NOTHING RETURNING spec, due_at;

-- name: forget_fire
DELETE FROM fires WHERE spec = :spec AND due_at = :due_at AND count = 1;

-- name: shorten_stretch
-- A stretch begins with its second instant.
UPDATE fires SET due_at = :following, count = count - 1 WHERE spec = :spec AND due_at = :due_at AND count > 1;

-- name: link_fires
UPDATE fires SET job_id = value ->> 2, outcome = value ->> 3, reason = value ->> 4
FROM json_each(:fires) WHERE spec = value ->> 0 AND due_at = value ->> 1;

-- name: latest_fire
SELECT * FROM fires WHERE spec = :spec ORDER BY due_at DESC LIMIT 1;

-- name: extend_fire
-- A stretch of paused or missed instants grows instead of filling the ledger.
UPDATE fires SET until = :until, count = count + :count, reason = :reason WHERE spec = :spec AND due_at = :due_at;

-- name: expire_fire
UPDATE fires SET outcome = 'expired', reason = :reason WHERE job_id = :job_id;

-- name: list_fires
SELECT * FROM fires WHERE due_at >= :since AND due_at < :before ORDER BY due_at DESC, spec LIMIT :limit;

-- name: stretches_since
-- Stretches that began before, but were not over.
SELECT * FROM fires
WHERE until IS NOT NULL AND until >= :since AND +due_at < :since AND (CAST(:spec AS TEXT) IS NULL OR spec = :spec);

-- name: list_fires_of_spec
SELECT * FROM fires WHERE spec = :spec AND due_at >= :since AND due_at < :before ORDER BY due_at DESC LIMIT :limit;

-- name: forget_fires_before
DELETE FROM fires WHERE (spec, due_at) IN (
    SELECT spec, due_at FROM fires WHERE due_at < :before AND COALESCE(until, due_at) < :before
    ORDER BY due_at LIMIT :limit) RETURNING due_at;

-- name: forget_surplus_fires
DELETE FROM fires WHERE (spec, due_at) IN (
    SELECT spec, due_at FROM fires ORDER BY due_at DESC LIMIT :limit OFFSET :count) RETURNING due_at;
