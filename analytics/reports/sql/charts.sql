-- name: charts
-- What each title had on a range of local days: new starts, viewers, time watched and revenue.
-- $watermark: moment
-- $first_day: integer
-- $last_day: integer
-- defines: charts, ai_share
WITH started AS (
    SELECT series_id, count(*) AS starts
    FROM starts
    JOIN zone_shifts ON started_at >= starts_at AND started_at < ends_at
    WHERE (date_diff('microsecond', TIMESTAMP '1970-01-01 00:00:00', started_at) + shift_us)
              // 86400000000 BETWEEN $first_day AND $last_day
    GROUP BY series_id
), watched AS (
    SELECT series_id, sum(actual_ms) AS watched_ms,
           count(DISTINCT CASE WHEN actual_ms >= 1000 THEN viewer_id END) AS viewers
    FROM events
    JOIN zone_shifts ON occurred_at >= starts_at AND occurred_at < ends_at
    WHERE type = 'playback_progress'
      AND environment = 'production'
      AND occurred_at < $watermark
      AND received_at < $watermark
      AND (date_diff('microsecond', TIMESTAMP '1970-01-01 00:00:00', occurred_at) + shift_us)
              // 86400000000 BETWEEN $first_day AND $last_day
    GROUP BY series_id
), earned AS (
    SELECT series_id, sum(value_micros) AS revenue_micros
    FROM unlocks
    JOIN zone_shifts ON created_at >= starts_at AND created_at < ends_at
    WHERE (date_diff('microsecond', TIMESTAMP '1970-01-01 00:00:00', created_at) + shift_us)
              // 86400000000 BETWEEN $first_day AND $last_day
    GROUP BY series_id
)
SELECT titles.series_id, external_id, locale, provenance,
       coalesce(starts, 0) AS starts,
       coalesce(viewers, 0) AS viewers,
       CAST(coalesce(watched_ms, 0) AS BIGINT) AS watched_ms,
       CAST(coalesce(revenue_micros, 0) AS BIGINT) AS revenue_micros
FROM titles
LEFT JOIN started USING (series_id)
LEFT JOIN watched USING (series_id)
LEFT JOIN earned USING (series_id)
WHERE starts IS NOT NULL OR watched_ms IS NOT NULL OR revenue_micros IS NOT NULL
ORDER BY external_id
