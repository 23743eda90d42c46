-- name: timely
-- Makes the view `timely`: the events that were received before their hour was closed for good, and those of
-- another system's past, which were all there when they were imported.
CREATE OR REPLACE TEMP VIEW timely AS
SELECT *
FROM events
WHERE received_at < date_trunc('hour', occurred_at) + INTERVAL 49 HOUR
   OR received_at IN (SELECT received_at FROM imports)
