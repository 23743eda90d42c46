-- name: late
-- Events received after their hour was closed for good; those of an imported past are not late.
-- $since: moment
-- $until: moment
SELECT date_diff('microsecond', TIMESTAMP '1970-01-01 00:00:00', occurred_at) // 900000000 AS slice,
       environment, count(*) AS late_events
FROM events
WHERE occurred_at >= $since AND occurred_at < $until
  AND received_at >= date_trunc('hour', occurred_at) + INTERVAL 49 HOUR
  AND received_at NOT IN (SELECT received_at FROM imports)
GROUP BY slice, environment
