-- name: implausible_viewers
-- Viewers who played more in an hour, or a day, of UTC than somebody who watches can, in stretches that are
-- no longer than a player reports.
-- $watermark: moment
-- $since: moment
-- $bucket_us: integer
-- $longest_ms: integer
-- $limit_ms: integer
WITH stretch AS (
    SELECT viewer_id, actual_ms,
           date_diff('microsecond', TIMESTAMP '1970-01-01 00:00:00', occurred_at) // $bucket_us AS bucket,
           occurred_at
    FROM events
    WHERE type = 'playback_progress'
      AND environment = 'production'
      AND occurred_at >= $since
      AND occurred_at < $watermark
      AND received_at < $watermark
      AND actual_ms <= $longest_ms
), played AS (
    SELECT viewer_id, bucket, CAST(sum(actual_ms) AS BIGINT) AS actual_ms,
           min(occurred_at) AS began_at, max(occurred_at) AS ended_at
    FROM stretch
    GROUP BY viewer_id, bucket
)
SELECT viewer_id, max(actual_ms) AS actual_ms, min(began_at) AS began_at, max(ended_at) AS ended_at
FROM played
WHERE actual_ms > $limit_ms
GROUP BY viewer_id
ORDER BY viewer_id
