-- What opened the episodes of each series, and what it earned; what refunds took back, and what became known of
-- ads, is where it was booked. Ads watched for coins are of no series, less what the coins took to series as they
-- were spent; and so is what the flagged opened, as in the reports.
WITH booked AS (
    SELECT spent.created_at, spent.environment, spent.viewer_id, spent.playback_session_id,
           episode.series_id, 1 AS coin_unlocks, 0 AS ad_unlocks, spent.price_coins AS coins,
           spent.value_micros + spent.attribution_micros AS coin_micros, 0::bigint AS ad_micros
    FROM payments_unlock AS spent
    JOIN catalog_episode AS episode ON episode.id = spent.episode_id
    WHERE spent.created_at >= %(since)s AND spent.created_at < %(until)s
    UNION ALL
    SELECT correction.created_at, spent.environment, spent.viewer_id, spent.playback_session_id,
           episode.series_id, 0, 0, correction.coins,
           correction.value_micros + correction.attribution_micros, 0
    FROM payments_unlockcorrection AS correction
    JOIN payments_unlock AS spent ON spent.id = correction.unlock_id
    JOIN catalog_episode AS episode ON episode.id = spent.episode_id
    WHERE correction.created_at >= %(since)s AND correction.created_at < %(until)s
    UNION ALL
    SELECT corrected.created_at, spent.environment, spent.viewer_id, spent.playback_session_id,
           episode.series_id, -1, 0, 0, 0, 0
    FROM (
        SELECT unlock_id, transfer_id, min(created_at) AS created_at
        FROM payments_unlockcorrection
        WHERE created_at >= %(since)s AND created_at < %(until)s
        GROUP BY unlock_id, transfer_id
    ) AS corrected
    JOIN payments_unlockreversal AS reversal ON reversal.transfer_id = corrected.transfer_id
    JOIN payments_unlock AS spent ON spent.id = corrected.unlock_id
    JOIN catalog_episode AS episode ON episode.id = spent.episode_id
    UNION ALL
    SELECT earned.booked_at, earned.environment, earned.viewer_id, NULL, earned.series_id, 0,
           CASE WHEN reward.entitlement_id IS NULL THEN 0 ELSE 1 END, 0, 0, earned.micros
    FROM ads_earning AS earned
    LEFT JOIN ads_reward AS reward ON reward.id = earned.id
    WHERE earned.booked_at >= %(since)s AND earned.booked_at < %(until)s
    UNION ALL
    SELECT reward.created_at, reward.environment, reward.viewer_id, NULL, reward.series_id,
           0, 1, 0, 0, 0
    FROM ads_opening AS opening
    JOIN ads_reward AS reward ON reward.id = opening.reward_id
    JOIN payments_entitlement AS entitlement ON entitlement.id = opening.entitlement_id
    WHERE entitlement.ends_at IS NULL AND opening.entitlement_id <> reward.entitlement_id
      AND reward.created_at >= %(since)s AND reward.created_at < %(until)s
    UNION ALL
    SELECT carried.created_at, spent.environment, spent.viewer_id, NULL, NULL, 0, 0, 0, 0,
           -carried.micros
    FROM (
        SELECT id AS unlock_id, attribution_micros AS micros, created_at
        FROM payments_unlock
        WHERE created_at >= %(since)s AND created_at < %(until)s
        UNION ALL
        SELECT unlock_id, attribution_micros, created_at
        FROM payments_unlockcorrection
        WHERE created_at >= %(since)s AND created_at < %(until)s
    ) AS carried
    JOIN payments_unlock AS spent ON spent.id = carried.unlock_id
    WHERE carried.micros <> 0
), attributed AS (
    SELECT created_at, environment, coin_unlocks, ad_unlocks, coins, coin_micros, ad_micros,
           CASE WHEN viewer_id IN (
                    SELECT viewer_id FROM viewers_flag
                    WHERE lifted_at IS NULL AND playback_session_id IS NULL)
                  OR playback_session_id IN (
                    SELECT playback_session_id FROM viewers_flag
                    WHERE lifted_at IS NULL AND playback_session_id IS NOT NULL)
                THEN NULL ELSE series_id END AS series_id
    FROM booked
)
SELECT date_bin('15 minutes', created_at, timestamptz '2000-01-01 00:00:00+00') AS slice,
       environment, series_id::text AS series_id,
       sum(coin_unlocks)::bigint AS coin_unlocks, sum(ad_unlocks)::bigint AS ad_unlocks,
       sum(coins)::bigint AS coins_spent, sum(coin_micros)::bigint AS coin_revenue,
       sum(ad_micros)::bigint AS ad_revenue
FROM attributed
GROUP BY slice, environment, series_id
