-- The queue. Instants are milliseconds since the epoch, UTC; JSON is TEXT.

CREATE TABLE jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT,
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
    CHECK (finished_at = updated_at),  -- where it is set: what is final changes no more
    CHECK (state <> 'processing' OR worker_id IS NOT NULL)
);

-- Every index costs each job as often as what it holds changes. So: one for each way to look for jobs, and none
-- holds a job in a state that it isn't looked for in. A statement must repeat an index's WHERE word for word.
CREATE UNIQUE INDEX jobs_key ON jobs (key) WHERE key IS NOT NULL;
CREATE INDEX jobs_pending ON jobs (queue, priority DESC, id) WHERE state = 'pending';
CREATE INDEX jobs_processing ON jobs (worker_id) WHERE state = 'processing';
CREATE INDEX jobs_due ON jobs (state, run_at) WHERE state IN ('scheduled', 'failed');
CREATE INDEX jobs_blocked ON jobs (spec, id) WHERE state = 'blocked';
CREATE INDEX jobs_expiring ON jobs (expires_at)
    WHERE expires_at IS NOT NULL AND state IN ('blocked', 'pending') AND attempt = 0;
CREATE INDEX jobs_purge ON jobs (purge_at) WHERE purge_at IS NOT NULL;
CREATE INDEX jobs_spec ON jobs (spec, state, id) WHERE spec IS NOT NULL;
CREATE INDEX jobs_state ON jobs (state, queue, id) WHERE state <> 'processing';
CREATE INDEX jobs_changed ON jobs (state, own_keep, updated_at) WHERE state <> 'processing';

-- How many jobs there are of each kind, so that nobody has to count them. Rows stay when they come down to 0.
CREATE TABLE job_counts (
    queue TEXT NOT NULL,
    state TEXT NOT NULL,
    own_keep INTEGER NOT NULL,
    jobs INTEGER NOT NULL,
    PRIMARY KEY (queue, state, own_keep)
) WITHOUT ROWID;

CREATE TRIGGER count_new_job AFTER INSERT ON jobs BEGIN
    INSERT INTO job_counts VALUES (NEW.queue, NEW.state, NEW.own_keep, 1)
    ON CONFLICT (queue, state, own_keep) DO UPDATE SET jobs = jobs + 1;
END;

CREATE TRIGGER count_deleted_job AFTER DELETE ON jobs BEGIN
    UPDATE job_counts SET jobs = jobs - 1
    WHERE queue = OLD.queue AND state = OLD.state AND own_keep = OLD.own_keep;
END;

CREATE TRIGGER count_changed_job AFTER UPDATE OF queue, state, own_keep ON jobs
WHEN OLD.queue <> NEW.queue OR OLD.state <> NEW.state OR OLD.own_keep <> NEW.own_keep BEGIN
    UPDATE job_counts SET jobs = jobs - 1
    WHERE queue = OLD.queue AND state = OLD.state AND own_keep = OLD.own_keep;
    INSERT INTO job_counts VALUES (NEW.queue, NEW.state, NEW.own_keep, 1)
    ON CONFLICT (queue, state, own_keep) DO UPDATE SET jobs = jobs + 1;
END;

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
    output_bytes INTEGER NOT NULL DEFAULT 0,
    output_file TEXT,
    truncated INTEGER NOT NULL DEFAULT 0,
    cpu_ms INTEGER,
    max_rss_kib INTEGER,
    output BLOB,  -- last, and not WITHOUT ROWID: what stands before it is read without it
    PRIMARY KEY (job_id, number),
    CHECK ((outcome IS NULL) = (finished_at IS NULL))
);

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

CREATE TABLE spec_versions (
    spec TEXT NOT NULL,
    version INTEGER NOT NULL,
    body TEXT NOT NULL,
    apply_id INTEGER NOT NULL REFERENCES applies (id),
    at INTEGER NOT NULL,
    PRIMARY KEY (spec, version)
);

-- What spec files said when they were last read, so that unchanged ones need not be read again.
CREATE TABLE spec_files (
    path TEXT PRIMARY KEY,
    source TEXT NOT NULL,
    digest TEXT NOT NULL,
    specs TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE fires (
    spec TEXT NOT NULL,
    due_at INTEGER NOT NULL,
    until INTEGER,
    count INTEGER NOT NULL DEFAULT 1,
    outcome TEXT NOT NULL CHECK (outcome IN ('fired', 'caught_up', 'skipped', 'missed', 'expired', 'paused')),
    job_id INTEGER,
    reason TEXT,
    PRIMARY KEY (spec, due_at)
) WITHOUT ROWID;

CREATE INDEX fires_due ON fires (due_at DESC, spec);
CREATE INDEX fires_until ON fires (until) WHERE until IS NOT NULL;
CREATE INDEX fires_job ON fires (job_id) WHERE job_id IS NOT NULL;

CREATE TABLE queues (
    name TEXT PRIMARY KEY,
    paused_at INTEGER,
    paused_by TEXT
);

-- A queue is known from its first job on.
CREATE TRIGGER know_queue_of_new_job AFTER INSERT ON jobs
WHEN NOT EXISTS (SELECT 1 FROM queues WHERE name = NEW.queue) BEGIN
    INSERT INTO queues (name) VALUES (NEW.queue);
END;

CREATE TRIGGER know_queue_of_moved_job AFTER UPDATE OF queue ON jobs
WHEN NOT EXISTS (SELECT 1 FROM queues WHERE name = NEW.queue) BEGIN
    INSERT INTO queues (name) VALUES (NEW.queue);
END;

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
