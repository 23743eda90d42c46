-- name: events
-- Events received in time, by platform.
-- $since: moment
-- $until: moment
SELECT date_diff('microsecond', TIMESTAMP '1970-01-01 00:00:00', occurred_at) // 900000000 AS slice,
       environment, platform, count(*) AS events
FROM timely
WHERE occurred_at >= $since AND occurred_at < $until
GROUP BY slice, environment, platform
