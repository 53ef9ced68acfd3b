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
