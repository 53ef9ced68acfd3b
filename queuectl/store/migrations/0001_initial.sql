-- The queue. Instants are milliseconds since the epoch, UTC; JSON is TEXT.

CREATE TABLE jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT UNIQUE,
    spec TEXT,
    spec_version INTEGER,
    frozen TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN
        ('blocked', 'scheduled', 'pending', 'processing', 'failed', 'completed', 'dead', 'cancelled')),
    queue TEXT NOT NULL,
    priority INTEGER NOT NULL CHECK (priority BETWEEN -1000 AND 1000),
    run_at INTEGER NOT NULL,
    expires_at INTEGER,
    fire_at INTEGER,
    attempt INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    losses INTEGER NOT NULL DEFAULT 0,
    reason TEXT,
    exit_code INTEGER,
    worker_id TEXT,
    cancel_requested_at INTEGER,
    own_keep INTEGER NOT NULL DEFAULT 0,
    purge_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    finished_at INTEGER,
    CHECK ((state IN ('completed', 'dead', 'cancelled')) = (finished_at IS NOT NULL)),
    CHECK (state <> 'processing' OR worker_id IS NOT NULL)
);

-- Partial indexes lead with the state all the same: it makes the planner prefer them to jobs_state.
CREATE INDEX jobs_pending ON jobs (queue, priority DESC, id) WHERE state = 'pending';
CREATE INDEX jobs_due ON jobs (state, run_at) WHERE finished_at IS NULL;
CREATE INDEX jobs_blocked ON jobs (state, spec, id) WHERE state = 'blocked';
CREATE INDEX jobs_processing ON jobs (state, worker_id) WHERE state = 'processing';
CREATE INDEX jobs_expiring ON jobs (state, expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX jobs_finished ON jobs (state, own_keep, finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX jobs_purge ON jobs (purge_at) WHERE purge_at IS NOT NULL;
CREATE INDEX jobs_state ON jobs (state, id);
CREATE INDEX jobs_spec ON jobs (spec, state, id);
CREATE INDEX jobs_queue ON jobs (queue, state, id);

CREATE TABLE attempts (
    job_id INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    worker_id TEXT NOT NULL,
    host TEXT NOT NULL,
    pid INTEGER,
    pid_mark TEXT,
    outcome TEXT CHECK (outcome IN ('succeeded', 'failed', 'signalled', 'timed_out', 'spawn_failed', 'lost',
        'interrupted', 'cancelled', 'snoozed')),
    exit_code INTEGER,
    signal TEXT,
    error TEXT,
    started_at INTEGER NOT NULL,
    finished_at INTEGER,
    duration_ms INTEGER,
    output BLOB,
    output_bytes INTEGER NOT NULL DEFAULT 0,
    output_file TEXT,
    truncated INTEGER NOT NULL DEFAULT 0,
    cpu_ms INTEGER,
    max_rss_kib INTEGER,
    PRIMARY KEY (job_id, number),
    CHECK ((outcome IS NULL) = (finished_at IS NULL))
) WITHOUT ROWID;

CREATE TABLE applies (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    source TEXT NOT NULL,
    git_commit TEXT,
    git_dirty INTEGER
);

CREATE TABLE specs (
    name TEXT PRIMARY KEY,
    source TEXT NOT NULL,
    file TEXT NOT NULL,
    version INTEGER NOT NULL,
    body TEXT NOT NULL,
    apply_id INTEGER NOT NULL REFERENCES applies (id),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    next_due_at INTEGER,
    next_fire_at INTEGER,
    last_fire_at INTEGER,
    paused_at INTEGER,
    paused_by TEXT,
    orphaned INTEGER NOT NULL DEFAULT 0,
    pruned_at INTEGER,
    done_digest TEXT,
    last_job_id INTEGER
);

CREATE INDEX specs_due ON specs (next_fire_at) WHERE pruned_at IS NULL AND next_fire_at IS NOT NULL;
CREATE INDEX specs_source ON specs (source);

CREATE TABLE spec_versions (
    spec TEXT NOT NULL,
    version INTEGER NOT NULL,
    body TEXT NOT NULL,
    apply_id INTEGER NOT NULL REFERENCES applies (id),
    at INTEGER NOT NULL,
    PRIMARY KEY (spec, version)
);

CREATE TABLE fires (
    spec TEXT NOT NULL,
    due_at INTEGER NOT NULL,
    until INTEGER,
    count INTEGER NOT NULL DEFAULT 1,
    outcome TEXT NOT NULL CHECK (outcome IN ('fired', 'caught_up', 'skipped', 'missed', 'expired', 'paused')),
    job_id INTEGER,
    reason TEXT,
    PRIMARY KEY (spec, due_at)
);

CREATE INDEX fires_due ON fires (due_at);
CREATE INDEX fires_job ON fires (job_id) WHERE job_id IS NOT NULL;

CREATE TABLE queues (
    name TEXT PRIMARY KEY,
    paused_at INTEGER,
    paused_by TEXT
);

CREATE TABLE workers (
    id TEXT PRIMARY KEY,
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    pid_mark TEXT NOT NULL,
    slots INTEGER NOT NULL,
    queues TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    beat INTEGER NOT NULL DEFAULT 0,
    beat_at INTEGER NOT NULL,
    paused_at INTEGER,
    stop TEXT CHECK (stop IN ('graceful', 'now'))
);

CREATE TABLE settings (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
