-- name: shared_installs
-- Viewers who watched in an hour in which more than so many accounts of one installation of the app did.
-- $watermark: moment
-- $since: moment
-- $limit: integer
WITH watched AS (
    SELECT install_id, events.viewer_id, occurred_at,
           date_diff('microsecond', TIMESTAMP '1970-01-01 00:00:00', occurred_at) // 3600000000 AS hour
    FROM events
    JOIN shared_devices ON shared_devices.viewer_id = events.viewer_id
    WHERE type = 'playback_progress'
      AND environment = 'production'
      AND occurred_at >= $since
      AND occurred_at < $watermark
      AND received_at < $watermark
), crowd AS (
    SELECT install_id, hour, count(DISTINCT viewer_id) AS accounts
    FROM watched
    GROUP BY install_id, hour
)
SELECT viewer_id, max(accounts) AS accounts, min(occurred_at) AS began_at, max(occurred_at) AS ended_at
FROM watched
JOIN crowd USING (install_id, hour)
WHERE accounts > $limit
GROUP BY viewer_id
ORDER BY viewer_id
