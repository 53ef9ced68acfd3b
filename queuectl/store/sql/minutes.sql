-- name: tally
-- One more attempt ended in this minute.
INSERT INTO minutes (at, power, succeeded, failed) VALUES (:at, :power, :succeeded, :failed)
ON CONFLICT (at, power) DO UPDATE
SET succeeded = minutes.succeeded + excluded.succeeded, failed = minutes.failed + excluded.failed;

-- name: minutes_since
SELECT at / :step * :step AS at, power, SUM(succeeded) AS succeeded, SUM(failed) AS failed FROM minutes
WHERE at >= :since GROUP BY 1, 2 ORDER BY 1, 2;

-- name: sum_up_minutes
-- Those of a longer step become one, the first of it.
INSERT INTO minutes (at, power, succeeded, failed)
SELECT at / :step * :step, power, SUM(succeeded), SUM(failed) FROM minutes
WHERE at < :before AND at % :step <> 0 GROUP BY at / :step * :step, power
ON CONFLICT (at, power) DO UPDATE
SET succeeded = minutes.succeeded + excluded.succeeded, failed = minutes.failed + excluded.failed;

-- name: forget_summed_up
DELETE FROM minutes WHERE at < :before AND at % :step <> 0;

-- name: forget_minutes
DELETE FROM minutes WHERE at < :before;
