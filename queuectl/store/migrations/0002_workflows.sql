-- Flows: jobs that need others. Gates: jobs that share slots, and rates at which jobs may start.

ALTER TABLE jobs ADD COLUMN said TEXT;
ALTER TABLE jobs ADD COLUMN flow INTEGER;
ALTER TABLE jobs ADD COLUMN gated INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN slot TEXT;
ALTER TABLE jobs ADD COLUMN slot_limit INTEGER;
ALTER TABLE jobs ADD COLUMN on_conflict TEXT CHECK (on_conflict IN ('wait', 'skip', 'replace'));
ALTER TABLE jobs ADD COLUMN interval_us INTEGER;
ALTER TABLE jobs ADD COLUMN blocked_by TEXT CHECK (blocked_by IN ('spec', 'needs', 'gate'));

UPDATE jobs SET blocked_by = 'spec' WHERE state = 'blocked';

DROP INDEX jobs_blocked;
CREATE INDEX jobs_blocked ON jobs (spec, id) WHERE state = 'blocked' AND blocked_by = 'spec';
CREATE INDEX jobs_at_slot ON jobs (slot, priority DESC, id)
    WHERE slot IS NOT NULL AND state = 'blocked' AND blocked_by = 'gate';
CREATE INDEX jobs_at_rate ON jobs (spec, priority DESC, id)
    WHERE slot IS NULL AND state = 'blocked' AND blocked_by = 'gate';
CREATE INDEX jobs_rated ON jobs (spec) WHERE interval_us IS NOT NULL AND state = 'blocked' AND blocked_by = 'gate';
CREATE INDEX jobs_impatient ON jobs (slot, on_conflict, id)
    WHERE on_conflict <> 'wait' AND state = 'blocked' AND blocked_by = 'gate';
CREATE INDEX jobs_in_slot ON jobs (slot, id) WHERE slot IS NOT NULL AND state IN ('pending', 'processing');
CREATE INDEX jobs_flow ON jobs (flow, state) WHERE flow IS NOT NULL;
CREATE INDEX jobs_in_flow ON jobs (spec, flow) WHERE flow IS NOT NULL;

-- What a job needs: the job `needs_id`, or, as long as that isn't made, the next one of a spec.
CREATE TABLE needs (
    id INTEGER PRIMARY KEY,
    job_id INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    spec TEXT,
    needs_id INTEGER,
    ends TEXT NOT NULL CHECK (ends IN ('completed', 'dead', 'finished')),
    met INTEGER NOT NULL DEFAULT 0,
    CHECK (spec IS NOT NULL OR needs_id IS NOT NULL)
);

CREATE INDEX needs_of_job ON needs (job_id, met);
CREATE INDEX needs_on_job ON needs (needs_id, met) WHERE needs_id IS NOT NULL;
CREATE INDEX needs_on_spec ON needs (spec, job_id) WHERE needs_id IS NULL;

-- Which specs need which, as their latest versions say.
CREATE TABLE spec_needs (
    spec TEXT NOT NULL,
    needs TEXT NOT NULL,
    ends TEXT NOT NULL,
    PRIMARY KEY (spec, needs)
) WITHOUT ROWID;

CREATE INDEX spec_needs_on ON spec_needs (needs, spec);

-- The slots where something has changed for a job that waits: nobody looks through all slots for those that are free.
CREATE TABLE slots_to_look_at (
    slot TEXT PRIMARY KEY
) WITHOUT ROWID;

CREATE TRIGGER look_at_slot_of_new_job AFTER INSERT ON jobs
WHEN NEW.slot IS NOT NULL AND NEW.state = 'blocked' AND NEW.blocked_by = 'gate' BEGIN
    INSERT INTO slots_to_look_at VALUES (NEW.slot) ON CONFLICT (slot) DO NOTHING;
END;

-- Not where a job that waited gets its slot, and then runs.
CREATE TRIGGER look_at_slots_of_changed_job
AFTER UPDATE OF state, blocked_by, slot, slot_limit, on_conflict, interval_us, priority ON jobs
WHEN (OLD.slot IS NOT NULL OR NEW.slot IS NOT NULL)
    AND (OLD.slot IS NOT NEW.slot OR NEW.state NOT IN ('pending', 'processing')) BEGIN
    INSERT INTO slots_to_look_at
    SELECT value FROM (SELECT OLD.slot AS value UNION SELECT NEW.slot)
    WHERE EXISTS (SELECT 1 FROM jobs
        WHERE slot = value AND slot IS NOT NULL AND state = 'blocked' AND blocked_by = 'gate')
    ON CONFLICT (slot) DO NOTHING;
END;

CREATE TRIGGER look_at_slot_of_deleted_job AFTER DELETE ON jobs
WHEN OLD.slot IS NOT NULL AND EXISTS (SELECT 1 FROM jobs
    WHERE slot = OLD.slot AND slot IS NOT NULL AND state = 'blocked' AND blocked_by = 'gate') BEGIN
    INSERT INTO slots_to_look_at VALUES (OLD.slot) ON CONFLICT (slot) DO NOTHING;
END;

-- When the next job may start of what has a rate, in microseconds: of a spec, or of a queue.
CREATE TABLE rates (
    spec TEXT PRIMARY KEY,
    next_us INTEGER NOT NULL
) WITHOUT ROWID;

ALTER TABLE queues ADD COLUMN running_limit INTEGER;
ALTER TABLE queues ADD COLUMN interval_us INTEGER;
ALTER TABLE queues ADD COLUMN next_us INTEGER;

-- What the command of a job reads from stdin.
CREATE TABLE inputs (
    job_id INTEGER PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    content TEXT NOT NULL
);
