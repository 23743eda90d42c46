-- name: retention
-- How many members of each cohort were active at each offset from their first open; where $is_open, at
-- which offset each of them was active last.
-- $watermark: moment
-- $period_days: integer
-- $lead_days: integer
-- $is_elapsed: boolean
-- $is_open: boolean
-- $horizon: integer
-- defines: retention_calendar, retention_elapsed, retention_on_or_after
WITH visit AS (
    SELECT DISTINCT
        member, cell,
        CASE WHEN $is_elapsed
             THEN date_diff('microsecond', opened_at, occurred_at) // ($period_days * 86400000000)
             ELSE ((date_diff('microsecond', TIMESTAMP '1970-01-01 00:00:00', occurred_at) + shift_us)
                   // 86400000000 + $lead_days) // $period_days - cohort END AS distance
    FROM events
    JOIN member USING (viewer_id)
    JOIN zone_shifts ON occurred_at >= starts_at AND occurred_at < ends_at
    WHERE (type = 'app_open' OR (type = 'playback_progress' AND actual_ms >= 1000))
      AND environment = 'production'
      AND occurred_at >= opened_at
      AND occurred_at < $watermark
      AND received_at < $watermark
), furthest AS (
    SELECT member, cell, max(distance) AS distance
    FROM visit
    WHERE $is_open
    GROUP BY member, cell
), counted AS (
    SELECT cell, distance FROM visit WHERE NOT $is_open AND distance <= $horizon
    UNION ALL
    SELECT cell, distance FROM furthest
)
SELECT cell, distance, count(*) AS active
FROM counted
GROUP BY cell, distance
ORDER BY cell, distance
