-- name: paywall_funnel
-- Starters of each series, how many met its paywall, unlocked, and watched what they had unlocked.
WITH asked AS (
    SELECT viewer_id, series_id, started_at, started_at <= $mature_until AS is_mature
    FROM starts
    WHERE coalesce(series_id = $series_id, $series_id IS NULL)
), encounter AS (
    SELECT asked.viewer_id, asked.series_id, min(shown.occurred_at) AS met_at
    FROM asked
    JOIN events AS shown
      ON shown.viewer_id = asked.viewer_id
     AND shown.series_id = asked.series_id
     AND shown.occurred_at >= asked.started_at
     AND shown.occurred_at < asked.started_at + INTERVAL 7 DAY
    WHERE is_mature
      AND shown.type = 'paywall_shown'
      AND shown.received_at < $watermark
      AND shown.environment = 'production'
    GROUP BY asked.viewer_id, asked.series_id
), first_unlock AS (
    SELECT encounter.viewer_id, encounter.series_id, unlocks.episode_id, unlocks.means,
           unlocks.created_at AS unlocked_at
    FROM encounter
    JOIN unlocks
      ON unlocks.viewer_id = encounter.viewer_id
     AND unlocks.series_id = encounter.series_id
     AND unlocks.created_at >= met_at
     AND unlocks.created_at < met_at + INTERVAL 24 HOUR
    WHERE unlocks.unlocks = 1
    QUALIFY row_number() OVER (
        PARTITION BY encounter.viewer_id, encounter.series_id
        ORDER BY unlocks.created_at, unlocks.unlock_id) = 1
), watched AS (
    SELECT first_unlock.viewer_id, first_unlock.series_id
    FROM first_unlock
    JOIN events AS progress
      ON progress.viewer_id = first_unlock.viewer_id
     AND progress.episode_id = first_unlock.episode_id
     AND progress.occurred_at >= unlocked_at
     AND progress.occurred_at < unlocked_at + INTERVAL 24 HOUR
    WHERE progress.type = 'playback_progress'
      AND progress.received_at < $watermark
      AND progress.environment = 'production'
    GROUP BY first_unlock.viewer_id, first_unlock.series_id
    HAVING sum(progress.actual_ms) >= 3000
), topped_up AS (
    SELECT DISTINCT encounter.viewer_id, encounter.series_id
    FROM encounter
    LEFT JOIN first_unlock USING (viewer_id, series_id)
    JOIN purchases
      ON purchases.viewer_id = encounter.viewer_id
     AND purchases.created_at >= met_at
     AND purchases.created_at < coalesce(unlocked_at, met_at + INTERVAL 24 HOUR)
)
SELECT asked.series_id, any_value(external_id) AS external_id,
       count(*) FILTER (WHERE is_mature) AS starters,
       count(*) FILTER (WHERE NOT is_mature) AS immature,
       count(met_at) AS reached,
       count(*) FILTER (WHERE means = 'coins') AS unlocked_by_coins,
       count(*) FILTER (WHERE means = 'ad') AS unlocked_by_ad,
       count(watched.viewer_id) AS watched,
       count(topped_up.viewer_id) AS topped_up
FROM asked
LEFT JOIN encounter USING (viewer_id, series_id)
LEFT JOIN first_unlock USING (viewer_id, series_id)
LEFT JOIN watched USING (viewer_id, series_id)
LEFT JOIN topped_up USING (viewer_id, series_id)
LEFT JOIN titles USING (series_id)
GROUP BY asked.series_id
ORDER BY asked.series_id
