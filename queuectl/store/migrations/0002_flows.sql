-- Flows: jobs that need others.

ALTER TABLE jobs ADD COLUMN flow INTEGER;
ALTER TABLE jobs ADD COLUMN blocked_by TEXT CHECK (blocked_by IN ('spec', 'needs'));

UPDATE jobs SET blocked_by = 'spec' WHERE state = 'blocked';

DROP INDEX jobs_blocked;
CREATE INDEX jobs_blocked ON jobs (spec, id) WHERE state = 'blocked' AND blocked_by = 'spec';
CREATE INDEX jobs_flow ON jobs (flow, state) WHERE flow IS NOT NULL;

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
