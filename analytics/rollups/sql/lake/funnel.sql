-- name: funnel
-- The starters of each series, and how many of them met its paywall, unlocked, and watched what they had
-- unlocked, by the moment of the start.
-- $since: moment
-- $until: moment
WITH stretch AS (
    SELECT viewer_id, series_id, occurred_at, event_id,
           sum(actual_ms) OVER (
               PARTITION BY viewer_id, series_id, playback_session_id
               ORDER BY occurred_at, event_id
               ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS played_ms
    FROM timely
    WHERE type = 'playback_progress' AND environment = 'production' AND occurred_at < $until
), started AS (
    SELECT viewer_id, series_id, min(occurred_at) AS started_at
    FROM stretch
    WHERE played_ms >= 1000
    GROUP BY viewer_id, series_id
), asked AS (
    SELECT viewer_id, series_id, started_at FROM started WHERE started_at >= $since
), encounter AS (
    SELECT asked.viewer_id, asked.series_id, min(shown.occurred_at) AS met_at
    FROM asked
    JOIN timely AS shown
      ON shown.viewer_id = asked.viewer_id
     AND shown.series_id = asked.series_id
     AND shown.occurred_at >= asked.started_at
     AND shown.occurred_at < asked.started_at + INTERVAL 7 DAY
    WHERE shown.type = 'paywall_shown' AND shown.environment = 'production'
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
    JOIN timely AS progress
      ON progress.viewer_id = first_unlock.viewer_id
     AND progress.episode_id = first_unlock.episode_id
     AND progress.occurred_at >= unlocked_at
     AND progress.occurred_at < unlocked_at + INTERVAL 24 HOUR
    WHERE progress.type = 'playback_progress' AND progress.environment = 'production'
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
SELECT date_diff('microsecond', TIMESTAMP '1970-01-01 00:00:00', started_at) // 900000000 AS slice,
       'production' AS environment, asked.series_id AS series_id,
       count(*) AS funnel_starters,
       count(met_at) AS funnel_reached,
       count(*) FILTER (WHERE means = 'coins') AS funnel_unlocked_by_coins,
       count(*) FILTER (WHERE means = 'ad') AS funnel_unlocked_by_ad,
       count(*) FILTER (WHERE means = 'subscription') AS funnel_unlocked_by_subscription,
       count(watched.viewer_id) AS funnel_watched,
       count(topped_up.viewer_id) AS funnel_topped_up
FROM asked
LEFT JOIN encounter USING (viewer_id, series_id)
LEFT JOIN first_unlock USING (viewer_id, series_id)
LEFT JOIN watched USING (viewer_id, series_id)
LEFT JOIN topped_up USING (viewer_id, series_id)
GROUP BY slice, asked.series_id
