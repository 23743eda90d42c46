-- What opened episodes, and what was taken back of it: an unlock by coins, each correction of one with what
-- it changed, and a reward of an ad. Sums are what is left.
SELECT spent.id AS row_id, spent.id AS unlock_id, 'coins' AS means, spent.way, 1 AS unlocks,
       spent.viewer_id, spent.environment, episode.series_id, spent.episode_id,
       spent.price_coins::bigint AS coins,
       (spent.value_micros + spent.attribution_micros)::bigint AS value_micros,
       spent.playback_session_id, spent.position_ms, spent.created_at AS booked_at
FROM payments_unlock AS spent
JOIN catalog_episode AS episode ON episode.id = spent.episode_id
UNION ALL
SELECT correction.id, spent.id, 'coins', spent.way, 0, spent.viewer_id, spent.environment,
       episode.series_id, spent.episode_id, correction.coins::bigint,
       (correction.value_micros + correction.attribution_micros)::bigint,
       spent.playback_session_id, spent.position_ms, correction.created_at
FROM payments_unlockcorrection AS correction
JOIN payments_unlock AS spent ON spent.id = correction.unlock_id
JOIN catalog_episode AS episode ON episode.id = spent.episode_id
UNION ALL
SELECT reversal.id, spent.id, 'coins', spent.way, -1, spent.viewer_id, spent.environment,
       episode.series_id, spent.episode_id, 0, 0, spent.playback_session_id, spent.position_ms,
       reversal.created_at
FROM payments_unlockreversal AS reversal
JOIN payments_unlock AS spent ON spent.id = reversal.unlock_id
JOIN catalog_episode AS episode ON episode.id = spent.episode_id
UNION ALL
SELECT reward.id, reward.id, 'ad', NULL, 1, reward.viewer_id, reward.environment, reward.series_id,
       reward.episode_id, 0, reward.revenue_micros::bigint, NULL, NULL, reward.created_at
FROM ads_reward AS reward
