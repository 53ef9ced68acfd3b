-- What the dashboard and its metrics show beside the rest.

ALTER TABLE specs ADD COLUMN pause_reason TEXT;
ALTER TABLE queues ADD COLUMN pause_reason TEXT;

-- How many attempts ended in each minute, by the power of two of their duration in ms. Kept for as long as it is shown.
CREATE TABLE minutes (
    at INTEGER NOT NULL,
    power INTEGER NOT NULL,
    succeeded INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    PRIMARY KEY (at, power)
) WITHOUT ROWID;

-- How many attempts have ended, ever, also of jobs that are forgotten: of each spec ('' for none), queue and outcome, by
-- how long they took and waited before (ms: the bucket's end, and the sum).
CREATE TABLE attempt_counts (
    spec TEXT NOT NULL,
    queue TEXT NOT NULL,
    outcome TEXT NOT NULL,
    took_le INTEGER NOT NULL,
    waited_le INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    took_ms INTEGER NOT NULL,
    waited_ms INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    PRIMARY KEY (spec, queue, outcome, took_le, waited_le)
) WITHOUT ROWID;
