-- name: beat_bookings
-- Each coin unlock of a series on the beat that led to it, or on none with the reason. What was taken back
-- of it is booked where it is. What is received 48 hours after an unlock moves it no more. What the flagged
-- unlocked is on no beat.
-- $series_id: text
-- $watermark: moment
-- defines: beat_booked
WITH spent AS (
    SELECT unlock_id, unlocks.unlocks, way, coins, value_micros, viewer_id, playback_session_id,
           position_ms, unlocked_at
    FROM unlocks
    WHERE series_id = $series_id
      AND means = 'coins'
      AND created_at < $watermark
), session AS (
    SELECT playback_session_id, viewer_id, version_id, min(received_at) AS known_at
    FROM events
    WHERE series_id = $series_id
      AND playback_session_id IS NOT NULL
      AND received_at < $watermark
    GROUP BY playback_session_id, viewer_id, version_id
), named AS (
    SELECT DISTINCT spent.unlock_id, session.version_id, spent.position_ms
    FROM spent
    JOIN session
      ON session.playback_session_id = spent.playback_session_id
     AND session.viewer_id = spent.viewer_id
     AND known_at < unlocked_at + INTERVAL 48 HOUR
    WHERE position_ms IS NOT NULL
), nameless AS (
    SELECT DISTINCT unlock_id, viewer_id, unlocked_at FROM spent ANTI JOIN named USING (unlock_id)
), before AS (
    SELECT unlock_id, version_id, to_ms, occurred_at, event_id,
           occurred_at > unlocked_at - INTERVAL 30 MINUTE AS is_near
    FROM nameless
    JOIN events USING (viewer_id)
    WHERE series_id = $series_id
      AND type = 'playback_progress'
      AND occurred_at <= unlocked_at
      AND received_at < unlocked_at + INTERVAL 48 HOUR
      AND received_at < $watermark
), latest AS (
    SELECT unlock_id, version_id, to_ms AS position_ms, is_near
    FROM before
    QUALIFY row_number() OVER (PARTITION BY unlock_id ORDER BY occurred_at DESC, event_id DESC) = 1
), led AS (
    SELECT unlock_id, version_id, position_ms, CAST(NULL AS VARCHAR) AS reason FROM named
    UNION ALL
    SELECT unlock_id, version_id, position_ms, CASE WHEN NOT is_near THEN 'window' END FROM latest
), shown AS (
    SELECT DISTINCT version_id, true AS is_shown FROM beats
), placed AS (
    SELECT spent.unlocks, coins, value_micros, spent.viewer_id,
           CASE WHEN way IN ('bundle', 'auto') THEN spent.unlocks ELSE 0 END AS together,
           CASE WHEN reason IS NULL THEN position END AS position,
           CASE WHEN reason IS NULL AND position IS NOT NULL THEN led.version_id END AS version_id,
           CASE WHEN led.unlock_id IS NULL THEN 'none'
                WHEN reason IS NOT NULL THEN reason
                WHEN is_shown IS NULL THEN 'other_version'
                WHEN position IS NULL THEN 'no_beat' END AS reason
    FROM spent
    LEFT JOIN led USING (unlock_id)
    LEFT JOIN shown ON shown.version_id = led.version_id
    LEFT JOIN beats
      ON beats.version_id = led.version_id
     AND led.position_ms >= start_ms
     -- A player that has come to the end stands at the last beat's end, which is in no other beat.
     AND (led.position_ms < end_ms OR (is_last AND led.position_ms = end_ms))
    UNION ALL
    SELECT unlocks_left_out.unlocks, coins, value_micros, viewer_id,
           CASE WHEN way IN ('bundle', 'auto') THEN unlocks_left_out.unlocks ELSE 0 END,
           NULL, NULL, 'flagged'
    FROM unlocks_left_out
    WHERE series_id = $series_id
      AND means = 'coins'
      AND created_at < $watermark
), by_viewer AS (
    SELECT grouping(reason) = 1 AS is_total, version_id, position, reason, viewer_id,
           sum(unlocks) AS unlocks, sum(coins) AS coins, sum(value_micros) AS value_micros,
           sum(together) AS together
    FROM placed
    GROUP BY GROUPING SETS ((version_id, position, reason, viewer_id), (viewer_id))
)
SELECT is_total, version_id, position, reason,
       CAST(sum(unlocks) AS BIGINT) AS unlocks,
       CAST(sum(coins) AS BIGINT) AS coins,
       CAST(sum(value_micros) AS BIGINT) AS value_micros,
       -- Whose money all went back is no payer.
       count(*) FILTER (WHERE value_micros > 0) AS payers,
       CAST(sum(together) AS BIGINT) AS together
FROM by_viewer
GROUP BY is_total, version_id, position, reason
ORDER BY is_total, version_id, position, reason
