-- name: funnel
-- How many came to each step of an ordered funnel, up to six steps, each within its window after the first
-- occurrence of the one before that counted.
-- $watermark: moment
-- $mature_until: moment
-- $is_by_title: boolean
-- $series_id: text or null
-- defines: funnel
WITH happened AS (
    SELECT 'start' AS kind, viewer_id, series_id, started_at AS happened_at FROM starts
    UNION ALL
    SELECT CASE WHEN type = 'playback_end' THEN 'completed' ELSE type END,
           viewer_id, series_id, occurred_at
    FROM events
    WHERE environment = 'production'
      AND occurred_at < $watermark
      AND received_at < $watermark
      AND (type IN ('app_open', 'paywall_shown', 'offer_shown', 'ad_shown')
           OR (type = 'feed_impression' AND visible_ms >= 1000)
           OR (type = 'playback_end' AND reason = 'completed'))
    UNION ALL
    SELECT concat('unlock_by_', means), viewer_id, series_id, created_at
    FROM unlocks
    WHERE unlocks.unlocks = 1 AND created_at < $watermark
    UNION ALL
    SELECT 'unlock', viewer_id, series_id, created_at
    FROM unlocks
    WHERE unlocks.unlocks = 1 AND created_at < $watermark
    UNION ALL
    SELECT 'purchase', viewer_id, NULL, created_at FROM purchases WHERE created_at < $watermark
), step AS (
    SELECT number, viewer_id, happened_at, within_seconds,
           CASE WHEN $is_by_title THEN coalesce(series_id, '') ELSE '' END AS title
    FROM happened JOIN funnel_steps USING (kind)
    WHERE coalesce(series_id = $series_id, $series_id IS NULL OR series_id IS NULL)
), first AS (
    SELECT viewer_id, title, min(happened_at) AS reached_at
    FROM step
    WHERE number = 1 AND (NOT $is_by_title OR title <> '')
    GROUP BY viewer_id, title
    HAVING min(happened_at) <= $mature_until
), second AS (
    SELECT first.viewer_id, first.title, min(happened_at) AS reached_at
    FROM first
    JOIN step
      ON step.viewer_id = first.viewer_id AND step.title IN (first.title, '') AND number = 2
     AND happened_at >= reached_at AND happened_at < reached_at + INTERVAL 1 SECOND * within_seconds
    GROUP BY first.viewer_id, first.title
), third AS (
    SELECT second.viewer_id, second.title, min(happened_at) AS reached_at
    FROM second
    JOIN step
      ON step.viewer_id = second.viewer_id AND step.title IN (second.title, '') AND number = 3
     AND happened_at >= reached_at AND happened_at < reached_at + INTERVAL 1 SECOND * within_seconds
    GROUP BY second.viewer_id, second.title
), fourth AS (
    SELECT third.viewer_id, third.title, min(happened_at) AS reached_at
    FROM third
    JOIN step
      ON step.viewer_id = third.viewer_id AND step.title IN (third.title, '') AND number = 4
     AND happened_at >= reached_at AND happened_at < reached_at + INTERVAL 1 SECOND * within_seconds
    GROUP BY third.viewer_id, third.title
), fifth AS (
    SELECT fourth.viewer_id, fourth.title, min(happened_at) AS reached_at
    FROM fourth
    JOIN step
      ON step.viewer_id = fourth.viewer_id AND step.title IN (fourth.title, '') AND number = 5
     AND happened_at >= reached_at AND happened_at < reached_at + INTERVAL 1 SECOND * within_seconds
    GROUP BY fourth.viewer_id, fourth.title
), sixth AS (
    SELECT fifth.viewer_id, fifth.title, min(happened_at) AS reached_at
    FROM fifth
    JOIN step
      ON step.viewer_id = fifth.viewer_id AND step.title IN (fifth.title, '') AND number = 6
     AND happened_at >= reached_at AND happened_at < reached_at + INTERVAL 1 SECOND * within_seconds
    GROUP BY fifth.viewer_id, fifth.title
), young AS (
    SELECT viewer_id, title
    FROM step
    WHERE number = 1 AND (NOT $is_by_title OR title <> '')
    GROUP BY viewer_id, title
    HAVING min(happened_at) > $mature_until
)
SELECT 0 AS number, count(*) AS reached FROM young
UNION ALL SELECT 1, count(*) FROM first
UNION ALL SELECT 2, count(*) FROM second
UNION ALL SELECT 3, count(*) FROM third
UNION ALL SELECT 4, count(*) FROM fourth
UNION ALL SELECT 5, count(*) FROM fifth
UNION ALL SELECT 6, count(*) FROM sixth
ORDER BY number
