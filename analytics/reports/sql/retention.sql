-- name: retention
-- Viewers by the local day or week of their first open, and how many were active at each offset.
WITH first_open AS (
    SELECT viewer_id,
           arg_min({'opened_at': occurred_at, 'channel': channel, 'country': country,
                    'platform': platform}, (occurred_at, event_id)) AS earliest
    FROM events
    WHERE type = 'app_open'
      AND environment = 'production'
      AND occurred_at < $watermark
      AND received_at < $watermark
    GROUP BY viewer_id
), member AS (
    -- By number: millions of pairs of small integers are told apart far faster than pairs of texts.
    SELECT row_number() OVER () AS member, viewer_id, earliest.opened_at AS opened_at,
           ((epoch_us(earliest.opened_at) + shift_us) // 86400000000 + $lead_days)
               // $period_days AS cohort
    FROM first_open
    JOIN zone_shifts ON earliest.opened_at >= starts_at AND earliest.opened_at < ends_at
    WHERE coalesce(earliest.channel = $channel, $channel IS NULL)
      AND coalesce(earliest.country = $country, $country IS NULL)
      AND coalesce(earliest.platform = $platform, $platform IS NULL)
), visit AS (
    SELECT DISTINCT
        member, cohort,
        CASE WHEN $is_elapsed
             THEN (epoch_us(occurred_at) - epoch_us(opened_at)) // ($period_days * 86400000000)
             ELSE ((epoch_us(occurred_at) + shift_us) // 86400000000 + $lead_days)
                  // $period_days - cohort END AS distance
    FROM events
    JOIN member USING (viewer_id)
    JOIN zone_shifts ON occurred_at >= starts_at AND occurred_at < ends_at
    WHERE (type = 'app_open' OR (type = 'playback_progress' AND actual_ms >= 1000))
      AND environment = 'production'
      AND occurred_at >= opened_at
      AND occurred_at < $watermark
      AND received_at < $watermark
), size AS (
    SELECT cohort, count(*) AS viewers, max(opened_at) AS last_opened_at FROM member GROUP BY cohort
), counted AS (
    SELECT cohort, distance, count(*) AS active
    FROM visit WHERE distance <= $horizon GROUP BY cohort, distance
), left_out AS (
    SELECT count(DISTINCT viewer_id) AS sandbox_viewers
    FROM events
    WHERE environment <> 'production'
      AND occurred_at < $watermark
      AND received_at < $watermark
)
SELECT cohort, viewers, last_opened_at, distance, active, sandbox_viewers
FROM left_out
LEFT JOIN size ON true
LEFT JOIN counted USING (cohort)
ORDER BY cohort, distance
