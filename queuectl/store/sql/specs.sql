-- name: record_apply
INSERT INTO applies (at, who, source, git_commit, git_dirty)
VALUES (:at, :who, :source, :git_commit, :git_dirty) RETURNING id;

-- name: apply_record
SELECT * FROM applies WHERE id = :id;

-- name: specs
SELECT * FROM specs WHERE pruned_at IS NULL ORDER BY name;

-- name: all_specs
SELECT * FROM specs ORDER BY name;

-- name: spec
SELECT * FROM specs WHERE name = :name;

-- name: write_spec
-- Nothing → version 1; a changed spec, or a pruned one that is back: one version up.
INSERT INTO specs (name, source, file, version, body, apply_id, created_at, updated_at, next_due_at, next_fire_at)
VALUES (:name, :source, :file, 1, :body, :apply_id, :now, :now, :next_due_at, :next_fire_at)
ON CONFLICT (name) DO UPDATE
SET source = excluded.source, file = excluded.file, version = specs.version + 1, body = excluded.body,
    apply_id = excluded.apply_id, updated_at = excluded.updated_at, next_due_at = excluded.next_due_at,
    next_fire_at = excluded.next_fire_at, orphaned = 0, pruned_at = NULL
RETURNING version;

-- name: record_spec_version
INSERT INTO spec_versions (spec, version, body, apply_id, at) VALUES (:spec, :version, :body, :apply_id, :at);

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

-- name: due_specs
SELECT * FROM specs WHERE pruned_at IS NULL AND next_fire_at IS NOT NULL AND next_fire_at <= :now
ORDER BY next_fire_at LIMIT :limit;

-- name: advance_spec
-- The schedule moves on; only if nobody else has moved it.
UPDATE specs SET next_due_at = :next_due_at, next_fire_at = :next_fire_at,
    last_fire_at = COALESCE(CAST(:fired_at AS INTEGER), last_fire_at)
WHERE name = :name AND next_due_at = :expected_due_at RETURNING name;

-- name: next_spec_deadline
SELECT MIN(next_fire_at) AS at FROM specs WHERE pruned_at IS NULL AND next_fire_at IS NOT NULL;

-- name: next_fires
SELECT * FROM specs WHERE pruned_at IS NULL AND next_fire_at IS NOT NULL ORDER BY next_fire_at LIMIT :limit;

-- name: pause_spec
UPDATE specs SET paused_at = :now, paused_by = :who WHERE name = :name AND pruned_at IS NULL AND paused_at IS NULL
RETURNING name;

-- name: resume_spec
UPDATE specs SET paused_at = NULL, paused_by = NULL WHERE name = :name AND paused_at IS NOT NULL RETURNING name;

-- name: mark_done
-- What a spec without a schedule has made its latest job for.
UPDATE specs SET done_digest = :digest, last_job_id = :job_id WHERE name = :name;

-- name: forget_done
UPDATE specs SET done_digest = NULL WHERE name = :name;

-- name: record_fire
INSERT INTO fires (spec, due_at, until, count, outcome, job_id, reason)
VALUES (:spec, :due_at, :until, :count, :outcome, :job_id, :reason)
ON CONFLICT (spec, due_at) DO NOTHING RETURNING due_at;

-- name: link_fire
UPDATE fires SET job_id = :job_id, outcome = :outcome, reason = :reason WHERE spec = :spec AND due_at = :due_at;

-- name: latest_fire
SELECT * FROM fires WHERE spec = :spec ORDER BY due_at DESC LIMIT 1;

-- name: extend_fire
-- A stretch of paused or missed instants grows instead of filling the ledger.
UPDATE fires SET until = :until, count = count + :count, reason = :reason WHERE spec = :spec AND due_at = :due_at;

-- name: expire_fire
UPDATE fires SET outcome = 'expired', reason = :reason WHERE job_id = :job_id;

-- name: list_fires
SELECT * FROM fires
WHERE (CAST(:spec AS TEXT) IS NULL OR spec = :spec)
  AND (CAST(:since AS INTEGER) IS NULL OR COALESCE(until, due_at) >= :since)
ORDER BY due_at DESC, spec LIMIT :limit;

-- name: forget_fires_before
DELETE FROM fires WHERE (spec, due_at) IN (
    SELECT spec, due_at FROM fires WHERE due_at < :before AND COALESCE(until, due_at) < :before
    ORDER BY due_at LIMIT :limit) RETURNING due_at;

-- name: forget_surplus_fires
DELETE FROM fires WHERE (spec, due_at) IN (
    SELECT spec, due_at FROM fires ORDER BY due_at DESC LIMIT :limit OFFSET :count) RETURNING due_at;
