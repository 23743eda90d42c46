-- name: retention
-- Viewers by the local day or week of their first open, and how many were active at each offset.
WITH activity AS MATERIALIZED (
    SELECT event_id, viewer_id, environment, type, occurred_at, channel, country, platform
    FROM events
    WHERE occurred_at < $watermark
      AND received_at < $watermark
      AND (type = 'app_open' OR (type = 'playback_progress' AND actual_ms > 0))
), local_activity AS (
    SELECT activity.*,
           ((epoch_us(occurred_at) + shift_us) // 86400000000 + $lead_days) // $period_days AS period
    FROM activity
    JOIN zone_shifts ON occurred_at >= starts_at AND occurred_at < ends_at
    WHERE environment = 'production'
), first_open AS (
    SELECT viewer_id, occurred_at AS opened_at, period AS cohort, channel, country, platform
    FROM local_activity
    WHERE type = 'app_open'
    QUALIFY row_number() OVER (PARTITION BY viewer_id ORDER BY occurred_at, event_id) = 1
), member AS (
    SELECT viewer_id, opened_at, cohort
    FROM first_open
    WHERE coalesce(channel = $channel, $channel IS NULL)
      AND coalesce(country = $country, $country IS NULL)
      AND coalesce(platform = $platform, $platform IS NULL)
), visit AS (
    SELECT DISTINCT
        member.viewer_id,
        member.cohort,
        CASE WHEN $is_elapsed
             THEN (epoch_us(occurred_at) - epoch_us(opened_at)) // ($period_days * 86400000000)
             ELSE period - cohort END AS distance
    FROM member
    JOIN local_activity USING (viewer_id)
    WHERE occurred_at >= opened_at
), size AS (
    SELECT cohort, count(*) AS viewers, max(opened_at) AS last_opened_at FROM member GROUP BY cohort
), counted AS (
    SELECT cohort, distance, count(*) AS active
    FROM visit WHERE distance <= $horizon GROUP BY cohort, distance
), left_out AS (
    SELECT count(DISTINCT viewer_id) AS sandbox_viewers
    FROM activity WHERE environment <> 'production'
)
SELECT cohort, viewers, last_opened_at, distance, active, sandbox_viewers
FROM left_out
LEFT JOIN size ON true
LEFT JOIN counted USING (cohort)
ORDER BY cohort, distance
