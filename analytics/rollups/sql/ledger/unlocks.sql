-- What opened the episodes of each series, and what it earned; what refunds took back is where they did.
WITH booked AS (
    SELECT spent.created_at, spent.environment, episode.series_id, 1 AS coin_unlocks, 0 AS ad_unlocks,
           spent.price_coins AS coins, spent.value_micros + spent.attribution_micros AS coin_micros,
           0::bigint AS ad_micros
    FROM payments_unlock AS spent
    JOIN catalog_episode AS episode ON episode.id = spent.episode_id
    WHERE spent.created_at >= %(since)s AND spent.created_at < %(until)s
    UNION ALL
    SELECT correction.created_at, spent.environment, episode.series_id, 0, 0, correction.coins,
           correction.value_micros + correction.attribution_micros, 0
    FROM payments_unlockcorrection AS correction
    JOIN payments_unlock AS spent ON spent.id = correction.unlock_id
    JOIN catalog_episode AS episode ON episode.id = spent.episode_id
    WHERE correction.created_at >= %(since)s AND correction.created_at < %(until)s
    UNION ALL
    SELECT corrected.created_at, spent.environment, episode.series_id, -1, 0, 0, 0, 0
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
    SELECT created_at, environment, series_id, 0, 1, 0, 0, revenue_micros
    FROM ads_reward
    WHERE created_at >= %(since)s AND created_at < %(until)s
)
SELECT date_bin('15 minutes', created_at, timestamptz '2000-01-01 00:00:00+00') AS slice,
       environment, series_id::text AS series_id,
       sum(coin_unlocks)::bigint AS coin_unlocks, sum(ad_unlocks)::bigint AS ad_unlocks,
       sum(coins)::bigint AS coins_spent, sum(coin_micros)::bigint AS coin_revenue,
       sum(ad_micros)::bigint AS ad_revenue
FROM booked
GROUP BY slice, environment, series_id
