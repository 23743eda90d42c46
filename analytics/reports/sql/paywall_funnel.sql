-- name: paywall_funnel
-- Starters of each series, how many met its paywall, unlocked, and watched what they had unlocked.
-- $series_id: text or null
-- $watermark: moment
-- $mature_until: moment
-- defines: paywall_reach, paywall_conversion, unlock_watched, top_up_between
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
), opened AS (
    SELECT unlock_id AS opened_by, means, viewer_id, series_id, episode_id, created_at
    FROM unlocks
    WHERE unlocks.unlocks = 1
    UNION ALL
    SELECT entitlement_id, 'subscription', viewer_id, series_id, episode_id, created_at
    FROM covered
), first_unlock AS (
    SELECT encounter.viewer_id, encounter.series_id, opened.episode_id, opened.means,
           opened.created_at AS unlocked_at
    FROM encounter
    JOIN opened
      ON opened.viewer_id = encounter.viewer_id
     AND opened.series_id = encounter.series_id
     AND opened.created_at >= met_at
     AND opened.created_at < met_at + INTERVAL 24 HOUR
    QUALIFY row_number() OVER (
        PARTITION BY encounter.viewer_id, encounter.series_id
        ORDER BY opened.created_at, opened.opened_by) = 1
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
SELECT asked.series_id, max(external_id) AS external_id,
       count(*) FILTER (WHERE is_mature) AS starters,
       count(*) FILTER (WHERE NOT is_mature) AS immature,
       count(met_at) AS reached,
       count(*) FILTER (WHERE means = 'coins') AS unlocked_by_coins,
       count(*) FILTER (WHERE means = 'ad') AS unlocked_by_ad,
       count(*) FILTER (WHERE means = 'subscription') AS unlocked_by_subscription,
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
