-- name: active
-- Viewers at the first moment of each local day at which they were active, by where and on what that was.
-- $since: moment
-- $until: moment
WITH seen AS (
    SELECT viewer_id, environment, occurred_at, event_id, country, platform,
           (date_diff('microsecond', TIMESTAMP '1970-01-01 00:00:00', occurred_at) + shift_us)
               // 86400000000 AS day
    FROM timely
    JOIN zone_shifts ON occurred_at >= starts_at AND occurred_at < ends_at
    WHERE (type = 'app_open' OR (type = 'playback_progress' AND actual_ms >= 1000))
      -- From before the beginning of the local day, which has at most 25 hours.
      AND occurred_at >= $since - INTERVAL 26 HOUR
      AND occurred_at < $until
), first_seen AS (
    SELECT viewer_id, environment, day,
           arg_min({'seen_at': occurred_at, 'country': country, 'platform': platform},
                   (occurred_at, event_id)) AS earliest
    FROM seen
    GROUP BY viewer_id, environment, day
)
SELECT date_diff('microsecond', TIMESTAMP '1970-01-01 00:00:00', earliest.seen_at) // 900000000
           AS slice,
       environment, earliest.country AS country, earliest.platform AS platform,
       count(*) AS active_viewers
FROM first_seen
WHERE earliest.seen_at >= $since
GROUP BY slice, environment, earliest.country, earliest.platform
