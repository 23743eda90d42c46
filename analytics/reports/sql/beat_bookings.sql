-- name: beat_bookings
-- Each coin unlock of a series on the beat that its playback session and position name, or on none.
-- What was taken back of it is booked where it is.
WITH session AS (
    SELECT DISTINCT playback_session_id, viewer_id, version_id
    FROM events
    WHERE series_id = $series_id
      AND playback_session_id IS NOT NULL
      AND received_at < $watermark
), shown AS (
    SELECT DISTINCT version_id, true AS is_shown FROM beats
), placed AS (
    SELECT unlocks.unlocks, coins, value_micros, unlocks.viewer_id, position,
           CASE WHEN position IS NOT NULL THEN session.version_id END AS version_id,
           CASE WHEN unlocks.playback_session_id IS NULL THEN 'none'
                WHEN session.version_id IS NULL THEN 'unknown_session'
                WHEN is_shown IS NULL THEN 'other_version'
                WHEN position IS NULL THEN 'no_beat' END AS reason
    FROM unlocks
    LEFT JOIN session
      ON session.playback_session_id = unlocks.playback_session_id
     AND session.viewer_id = unlocks.viewer_id
    LEFT JOIN shown ON shown.version_id = session.version_id
    LEFT JOIN beats
      ON beats.version_id = session.version_id
     AND position_ms >= start_ms
     -- A player that has come to the end stands at the last beat's end, which is in no other beat.
     AND (position_ms < end_ms OR (is_last AND position_ms = end_ms))
    WHERE unlocks.series_id = $series_id
      AND means = 'coins'
      AND created_at < $watermark
), by_viewer AS (
    SELECT grouping(reason) = 1 AS is_total, version_id, position, reason, viewer_id,
           sum(unlocks) AS unlocks, sum(coins) AS coins, sum(value_micros) AS value_micros
    FROM placed
    GROUP BY GROUPING SETS ((version_id, position, reason, viewer_id), (viewer_id))
)
SELECT is_total, version_id, position, reason,
       sum(unlocks)::BIGINT AS unlocks,
       sum(coins)::BIGINT AS coins,
       sum(value_micros)::BIGINT AS value_micros,
       -- Whose money all went back is no payer.
       count(*) FILTER (WHERE value_micros > 0) AS payers
FROM by_viewer
GROUP BY is_total, version_id, position, reason
ORDER BY is_total, version_id, position, reason
