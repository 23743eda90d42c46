-- What opened episodes, and what was taken back of it: an unlock by coins, each correction of one with what
-- it changed, what each ad earned and what became known of it since, and the other episodes that an ad opened.
-- Sums are what is left. What ads had earned with coins is in the ad's row, of no title, and again in the value
-- of the unlock that spent them: `carried_micros` is how much of it that is.
SELECT spent.id AS row_id, spent.id AS unlock_id, 'coins' AS means, spent.way, 1 AS unlocks,
       spent.viewer_id, spent.environment, episode.series_id, spent.episode_id,
       spent.price_coins::bigint AS coins,
       (spent.value_micros + spent.attribution_micros)::bigint AS value_micros,
       spent.attribution_micros::bigint AS carried_micros,
       spent.playback_session_id, spent.position_ms, spent.created_at AS booked_at
FROM payments_unlock AS spent
JOIN catalog_episode AS episode ON episode.id = spent.episode_id
UNION ALL
SELECT correction.id, spent.id, 'coins', spent.way, 0, spent.viewer_id, spent.environment,
       episode.series_id, spent.episode_id, correction.coins::bigint,
       (correction.value_micros + correction.attribution_micros)::bigint,
       correction.attribution_micros::bigint,
       spent.playback_session_id, spent.position_ms, correction.created_at
FROM payments_unlockcorrection AS correction
JOIN payments_unlock AS spent ON spent.id = correction.unlock_id
JOIN catalog_episode AS episode ON episode.id = spent.episode_id
UNION ALL
SELECT reversal.id, spent.id, 'coins', spent.way, -1, spent.viewer_id, spent.environment,
       episode.series_id, spent.episode_id, 0, 0, 0, spent.playback_session_id, spent.position_ms,
       reversal.created_at
FROM payments_unlockreversal AS reversal
JOIN payments_unlock AS spent ON spent.id = reversal.unlock_id
JOIN catalog_episode AS episode ON episode.id = spent.episode_id
UNION ALL
SELECT earned.id, coalesce(reward.id, correction.reward_id), 'ad', NULL,
       CASE WHEN reward.entitlement_id IS NULL THEN 0 ELSE 1 END, earned.viewer_id,
       earned.environment, earned.series_id, earned.episode_id, 0, earned.micros, 0, NULL, NULL,
       earned.booked_at
FROM ads_earning AS earned
LEFT JOIN ads_reward AS reward ON reward.id = earned.id
LEFT JOIN ads_earningcorrection AS correction ON correction.id = earned.id
UNION ALL
SELECT opening.id, reward.id, 'ad', NULL, 1, reward.viewer_id, reward.environment, reward.series_id,
       entitlement.episode_id, 0, 0, 0, NULL, NULL, reward.created_at
FROM ads_opening AS opening
JOIN ads_reward AS reward ON reward.id = opening.reward_id
JOIN payments_entitlement AS entitlement ON entitlement.id = opening.entitlement_id
WHERE entitlement.ends_at IS NULL AND opening.entitlement_id <> reward.entitlement_id
