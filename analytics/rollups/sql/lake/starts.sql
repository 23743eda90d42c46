-- name: starts
-- Viewers of a series at the end of the stretch that completes the first second of their first session.
-- $since: moment
-- $until: moment
WITH stretch AS (
    SELECT viewer_id, environment, series_id, occurred_at, event_id, country, locale,
           sum(actual_ms) OVER (
               PARTITION BY viewer_id, environment, series_id, playback_session_id
               ORDER BY occurred_at, event_id
               ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS played_ms
    FROM timely
    WHERE type = 'playback_progress' AND occurred_at < $until
), started AS (
    SELECT viewer_id, environment, series_id,
           arg_min({'started_at': occurred_at, 'country': country, 'locale': locale},
                   (occurred_at, event_id)) AS earliest
    FROM stretch
    WHERE played_ms >= 1000
    GROUP BY viewer_id, environment, series_id
)
SELECT date_diff('microsecond', TIMESTAMP '1970-01-01 00:00:00', earliest.started_at) // 900000000
           AS slice,
       environment, series_id, earliest.country AS country, earliest.locale AS locale,
       count(*) AS starts
FROM started
WHERE earliest.started_at >= $since
GROUP BY slice, environment, series_id, earliest.country, earliest.locale
