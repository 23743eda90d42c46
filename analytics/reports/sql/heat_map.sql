-- name: heat_map
-- How much of each stretch of a version was played and how often again, stretches counted from 0.
-- $series_id: text
-- $watermark: moment
-- $stretch_ms: integer
-- defines: heat
WITH played AS (
    SELECT viewer_id, version_id, from_ms, to_ms,
           unnest(generate_series(from_ms // $stretch_ms, (to_ms - 1) // $stretch_ms)) AS stretch
    FROM events
    WHERE series_id = $series_id
      AND type = 'playback_progress'
      AND to_ms > from_ms
      AND environment = 'production'
      AND occurred_at < $watermark
      AND received_at < $watermark
), by_viewer AS (
    SELECT version_id, stretch, viewer_id,
           least((stretch + 1) * $stretch_ms, duration_ms) - stretch * $stretch_ms AS length_ms,
           sum(least(to_ms, (stretch + 1) * $stretch_ms, duration_ms)
               - greatest(from_ms, stretch * $stretch_ms)) AS played_ms
    FROM played
    JOIN cuts USING (version_id)
    WHERE stretch * $stretch_ms < duration_ms AND from_ms < duration_ms
    GROUP BY version_id, stretch, viewer_id, duration_ms
)
SELECT version_id, stretch,
       count(*) AS viewers,
       CAST(sum(played_ms) AS BIGINT) AS played_ms,
       CAST(sum(greatest(played_ms - length_ms, 0)) AS BIGINT) AS replayed_ms,
       count(*) FILTER (WHERE played_ms > length_ms) AS replayers
FROM by_viewer
GROUP BY version_id, stretch
UNION ALL
SELECT version_id, NULL, count(DISTINCT viewer_id), 0, 0, 0
FROM played JOIN cuts USING (version_id)
WHERE from_ms < duration_ms
GROUP BY version_id
ORDER BY version_id, stretch
