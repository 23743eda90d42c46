-- name: playback
-- What was watched of each series, how often it began or failed, and the paywalls that were shown.
-- $since: moment
-- $until: moment
SELECT date_diff('microsecond', TIMESTAMP '1970-01-01 00:00:00', occurred_at) // 900000000 AS slice,
       environment, series_id, locale,
       CAST(coalesce(sum(actual_ms) FILTER (WHERE type = 'playback_progress'), 0) AS BIGINT)
           AS watch_time,
       count(*) FILTER (WHERE type = 'playback_start') AS playbacks,
       count(*) FILTER (WHERE type = 'playback_failed' AND reason <> 'abandoned')
           AS failed_playbacks,
       count(*) FILTER (WHERE type = 'paywall_shown') AS paywalls_shown
FROM timely
WHERE type IN ('playback_progress', 'playback_start', 'playback_failed', 'paywall_shown')
  AND occurred_at >= $since AND occurred_at < $until
GROUP BY slice, environment, series_id, locale
