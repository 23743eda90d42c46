-- Every rule of rewarded ads, re-added from its rows. Each query lists violations: what, and where.

-- check: a reward has its entitlement by ad, for the same viewer, episode and environment
SELECT reward.id::text, reward.transaction_id
FROM ads_reward reward
LEFT JOIN payments_entitlement entitlement ON entitlement.id = reward.entitlement_id
WHERE (entitlement.source, entitlement.viewer_id, entitlement.environment,
       entitlement.series_id, entitlement.episode_id)
   IS DISTINCT FROM ('ad'::varchar, reward.viewer_id, reward.environment, reward.series_id,
       reward.episode_id);

-- check: an entitlement by ad has exactly one reward
SELECT entitlement.id::text, entitlement.viewer_id::text
FROM payments_entitlement entitlement
WHERE entitlement.source = 'ad'
  AND (SELECT count(*) FROM ads_reward reward WHERE reward.entitlement_id = entitlement.id) <> 1;

-- check: no viewer is over a placement's cap on any day
SELECT id::text, day || ' #' || number
FROM (
    SELECT id, day, number, daily_cap,
           row_number() OVER (
               PARTITION BY viewer_id, environment, placement_id, day ORDER BY number
           ) AS expected_number
    FROM ads_reward
) reward
WHERE number > daily_cap OR number <> expected_number;

-- check: no viewer is believed more than three ads a day
SELECT min(id::text), viewer_id || ' ' || day
FROM ads_reward
WHERE network = 'douyin'
GROUP BY viewer_id, environment, network, day
HAVING count(*) > 3;

-- check: a reward's day is the day of its moment, in some time zone
SELECT id::text, day::text
FROM ads_reward
WHERE day NOT BETWEEN (created_at AT TIME ZONE 'UTC' - interval '12 hours')::date
                  AND (created_at AT TIME ZONE 'UTC' + interval '14 hours')::date;

-- check: a reward is its session's, and a rewarded session has its reward
SELECT coalesce(session.id, reward.session_id)::text, coalesce(reward.transaction_id, 'no reward')
FROM ads_adsession session
FULL JOIN ads_reward reward ON reward.session_id = session.id
WHERE (session.rewarded_at IS NOT NULL OR reward.id IS NOT NULL)
  AND (session.rewarded_at, session.viewer_id, session.environment, session.placement_id,
       session.episode_id, session.network)
   IS DISTINCT FROM (reward.created_at, reward.viewer_id, reward.environment, reward.placement_id,
       reward.episode_id, reward.network);

-- check: a callback that paid has its reward, and a reward its callback
SELECT coalesce(callback.id, reward.id)::text, coalesce(callback.transaction_id, 'no callback')
FROM (SELECT * FROM ads_callback WHERE verdict = 'paid') callback
FULL JOIN ads_reward reward
    ON reward.network = callback.network AND reward.transaction_id = callback.transaction_id
   AND reward.session_id = callback.session_id
WHERE callback.id IS NULL OR reward.id IS NULL;
