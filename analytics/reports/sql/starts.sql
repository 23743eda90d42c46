-- name: starts
-- Makes the table `starts`: the first session of a viewer and a series with a second played.
-- $watermark: moment
-- defines: paywall_reach, funnel, charts, net_revenue_per_start
CREATE OR REPLACE TEMP TABLE starts AS
WITH session AS (
    SELECT viewer_id, series_id,
           min(occurred_at - INTERVAL 1 MILLISECOND * coalesce(actual_ms, 0)) AS began_at
    FROM events
    WHERE environment = 'production'
      AND occurred_at < $watermark
      AND received_at < $watermark
      AND type IN ('playback_start', 'playback_progress')
    GROUP BY viewer_id, series_id, playback_session_id
    HAVING sum(actual_ms) >= 1000
)
SELECT viewer_id, series_id, min(began_at) AS started_at
FROM session
GROUP BY viewer_id, series_id
