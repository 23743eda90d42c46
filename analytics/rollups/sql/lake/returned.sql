-- name: returned
-- Viewers at the first moment of each local day at which they were active, by the local day of their first
-- app_open, as its number; of the 90 days after it, and that day itself.
-- $since: moment
-- $until: moment
WITH first_open AS (
    SELECT viewer_id, environment, min(occurred_at) AS opened_at
    FROM timely
    WHERE type = 'app_open' AND occurred_at < $until
    GROUP BY viewer_id, environment
), member AS (
    SELECT viewer_id, environment, opened_at,
           (date_diff('microsecond', TIMESTAMP '1970-01-01 00:00:00', opened_at) + shift_us)
               // 86400000000 AS cohort
    FROM first_open
    JOIN zone_shifts ON opened_at >= starts_at AND opened_at < ends_at
), visit AS (
    SELECT member.viewer_id, member.environment, cohort, occurred_at,
           (date_diff('microsecond', TIMESTAMP '1970-01-01 00:00:00', occurred_at) + shift_us)
               // 86400000000 AS day
    FROM timely
    JOIN member ON member.viewer_id = timely.viewer_id AND member.environment = timely.environment
    JOIN zone_shifts ON occurred_at >= starts_at AND occurred_at < ends_at
    WHERE (type = 'app_open' OR (type = 'playback_progress' AND actual_ms >= 1000))
      AND occurred_at >= opened_at
      AND occurred_at >= $since - INTERVAL 26 HOUR
      AND occurred_at < $until
), first_seen AS (
    SELECT viewer_id, environment, cohort, day, min(occurred_at) AS seen_at
    FROM visit
    WHERE day - cohort <= 90
    GROUP BY viewer_id, environment, cohort, day
)
SELECT date_diff('microsecond', TIMESTAMP '1970-01-01 00:00:00', seen_at) // 900000000 AS slice,
       environment, CAST(cohort AS VARCHAR) AS cohort, count(*) AS returning_viewers
FROM first_seen
WHERE seen_at >= $since
GROUP BY slice, environment, cohort
