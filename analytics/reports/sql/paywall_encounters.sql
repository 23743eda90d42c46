-- name: paywall_encounters
-- Encounters with the paywall of an episode by how many the viewer had met in the series before, and what
-- came of each within a day.
-- $series_id: text or null
-- $watermark: moment
-- $mature_until: moment
-- $last_ordinal: integer
-- defines: encounter_conversion, encounter_abandonment
WITH shown AS (
    SELECT viewer_id, series_id, episode_id, min(occurred_at) AS met_at
    FROM events
    WHERE type = 'paywall_shown'
      AND environment = 'production'
      AND occurred_at < $watermark
      AND received_at < $watermark
      AND coalesce(series_id = $series_id, $series_id IS NULL)
    GROUP BY viewer_id, series_id, episode_id
), encounter AS (
    SELECT viewer_id, series_id, episode_id, met_at, met_at <= $mature_until AS is_mature,
           row_number() OVER (PARTITION BY viewer_id, series_id ORDER BY met_at, episode_id) AS ordinal
    FROM shown
), opened AS (
    SELECT unlock_id AS opened_by, means, viewer_id, episode_id, created_at
    FROM unlocks
    WHERE unlocks.unlocks = 1
    UNION ALL
    SELECT entitlement_id, 'subscription', viewer_id, episode_id, created_at
    FROM covered
), first_opened AS (
    SELECT encounter.viewer_id, encounter.episode_id, means, created_at AS opened_at
    FROM encounter
    JOIN opened
      ON opened.viewer_id = encounter.viewer_id
     AND opened.episode_id = encounter.episode_id
     AND created_at >= met_at
     AND created_at < met_at + INTERVAL 24 HOUR
    WHERE is_mature
    QUALIFY row_number() OVER (PARTITION BY encounter.viewer_id, encounter.episode_id
                               ORDER BY created_at, opened_by) = 1
), topped_up AS (
    SELECT DISTINCT encounter.viewer_id, encounter.episode_id, true AS is_topped_up
    FROM encounter
    LEFT JOIN first_opened USING (viewer_id, episode_id)
    JOIN purchases
      ON purchases.viewer_id = encounter.viewer_id
     AND purchases.created_at >= met_at
     AND purchases.created_at < coalesce(opened_at, met_at + INTERVAL 24 HOUR)
    WHERE is_mature
), stayed AS (
    SELECT DISTINCT encounter.viewer_id, encounter.episode_id, true AS is_there
    FROM encounter
    JOIN events AS progress
      ON progress.viewer_id = encounter.viewer_id
     AND progress.series_id = encounter.series_id
     AND progress.occurred_at > met_at
     AND progress.occurred_at < met_at + INTERVAL 24 HOUR
    WHERE is_mature
      AND progress.type = 'playback_progress'
      AND progress.actual_ms >= 1000
      AND progress.environment = 'production'
      AND progress.received_at < $watermark
)
SELECT least(ordinal, $last_ordinal) AS ordinal,
       count(*) FILTER (WHERE is_mature) AS encounters,
       count(*) FILTER (WHERE NOT is_mature) AS immature,
       count(*) FILTER (WHERE means = 'coins') AS opened_by_coins,
       count(*) FILTER (WHERE means = 'ad') AS opened_by_ad,
       count(*) FILTER (WHERE means = 'subscription') AS opened_by_subscription,
       count(is_topped_up) AS topped_up,
       count(*) FILTER (WHERE is_mature AND means IS NULL AND is_there IS NULL) AS abandoned
FROM encounter
LEFT JOIN first_opened USING (viewer_id, episode_id)
LEFT JOIN topped_up USING (viewer_id, episode_id)
LEFT JOIN stayed USING (viewer_id, episode_id)
GROUP BY least(ordinal, $last_ordinal)
ORDER BY ordinal
