-- name: playback_quality
-- How playback went on each local day: how long until the first frame, how long it stood still, and how
-- often it did not begin.
-- $watermark: moment
-- $split: text or null
-- $first_day: integer or null
-- $last_day: integer or null
-- defines: ttff, rebuffer_ratio, start_failure, exit_before_start
WITH reported AS (
    SELECT (date_diff('microsecond', TIMESTAMP '1970-01-01 00:00:00', occurred_at) + shift_us)
               // 86400000000 AS day,
           coalesce(CASE WHEN $split = 'platform' THEN platform
                         WHEN $split = 'app_version' THEN app_version
                         WHEN $split = 'country' THEN country END, '') AS stratum,
           type, reason, first_frame_ms, actual_ms
    FROM events
    JOIN zone_shifts ON occurred_at >= starts_at AND occurred_at < ends_at
    WHERE type IN ('playback_start', 'playback_progress', 'playback_stall', 'playback_failed')
      AND environment = 'production'
      AND occurred_at < $watermark
      AND received_at < $watermark
), timed AS (
    SELECT day, stratum, first_frame_ms,
           row_number() OVER (PARTITION BY day, stratum ORDER BY first_frame_ms) AS place,
           count(*) OVER (PARTITION BY day, stratum) AS timed
    FROM reported
    WHERE type = 'playback_start' AND first_frame_ms IS NOT NULL
), waited AS (
    -- The smallest that so many percent do not exceed.
    SELECT day, stratum,
           max(timed) AS timed_starts,
           min(first_frame_ms) FILTER (WHERE place * 100 >= timed * 50) AS first_frame_p50_ms,
           min(first_frame_ms) FILTER (WHERE place * 100 >= timed * 95) AS first_frame_p95_ms
    FROM timed
    GROUP BY day, stratum
), counted AS (
    SELECT day, stratum,
           count(*) FILTER (WHERE type = 'playback_start') AS starts,
           count(*) FILTER (WHERE type = 'playback_failed' AND reason <> 'abandoned') AS failed,
           count(*) FILTER (WHERE type = 'playback_failed' AND reason = 'abandoned') AS abandoned,
           count(*) FILTER (WHERE type = 'playback_stall') AS stalls,
           coalesce(sum(actual_ms) FILTER (WHERE type = 'playback_stall'), 0) AS stalled_ms,
           coalesce(sum(actual_ms) FILTER (WHERE type = 'playback_progress'), 0) AS played_ms
    FROM reported
    GROUP BY day, stratum
)
SELECT day, stratum, starts, failed, abandoned, coalesce(timed_starts, 0) AS timed_starts,
       first_frame_p50_ms, first_frame_p95_ms, stalls,
       CAST(stalled_ms AS BIGINT) AS stalled_ms,
       CAST(played_ms AS BIGINT) AS played_ms
FROM counted LEFT JOIN waited USING (day, stratum)
WHERE ($first_day IS NULL OR day >= $first_day) AND ($last_day IS NULL OR day <= $last_day)
ORDER BY day, stratum
