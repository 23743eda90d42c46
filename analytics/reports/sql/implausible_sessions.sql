-- name: implausible_sessions
-- Playbacks of which more was played than fits between their first moment and their last: stretches that lie
-- over each other, which one player cannot do.
-- $watermark: moment
-- $since: moment
-- $slack_ms: integer
-- $fastest: integer
WITH stretch AS (
    SELECT viewer_id, playback_session_id, actual_ms, to_ms - from_ms AS story_ms,
           occurred_at - INTERVAL 1 MILLISECOND * actual_ms AS began_at, occurred_at
    FROM events
    WHERE type = 'playback_progress'
      AND environment = 'production'
      AND occurred_at >= $since
      AND occurred_at < $watermark
      AND received_at < $watermark
), played AS (
    SELECT viewer_id, playback_session_id,
           sum(actual_ms) AS actual_ms, sum(story_ms) AS story_ms,
           min(began_at) AS began_at, max(occurred_at) AS ended_at,
           date_diff('microsecond', min(began_at), max(occurred_at)) // 1000 AS wall_ms
    FROM stretch
    GROUP BY viewer_id, playback_session_id
)
SELECT viewer_id, playback_session_id, CAST(actual_ms AS BIGINT) AS actual_ms,
       CAST(story_ms AS BIGINT) AS story_ms, wall_ms, began_at, ended_at
FROM played
WHERE actual_ms > wall_ms + $slack_ms OR story_ms > $fastest * wall_ms + $slack_ms
ORDER BY viewer_id, playback_session_id
