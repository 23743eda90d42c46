-- Every rule of rewarded ads, re-added from its rows. Each query lists violations: what, and where.

-- check: a reward has its entitlement by ad, for the same viewer, episode and environment
SELECT reward.id::text, reward.transaction_id
FROM ads_reward reward
LEFT JOIN payments_entitlement entitlement ON entitlement.id = reward.entitlement_id
LEFT JOIN ads_opening opening ON opening.entitlement_id = reward.entitlement_id
WHERE reward.entitlement_id IS NOT NULL
  AND (entitlement.source, entitlement.viewer_id, entitlement.environment, entitlement.series_id,
       entitlement.episode_id, opening.reward_id)
   IS DISTINCT FROM ('ad'::varchar, reward.viewer_id, reward.environment, reward.series_id,
       reward.episode_id, reward.id);

-- check: an entitlement by ad has exactly one reward
SELECT entitlement.id::text, entitlement.viewer_id::text
FROM payments_entitlement entitlement
WHERE entitlement.source = 'ad'
  AND (SELECT count(*) FROM ads_opening opening JOIN ads_reward reward ON reward.id = opening.reward_id
       WHERE opening.entitlement_id = entitlement.id) <> 1;

-- check: a goal counts its ads, each of its own viewer, placement and title
SELECT goal.id::text, goal.ads_watched::text
FROM ads_goal goal
LEFT JOIN (
    SELECT goal_id, count(*) AS ads, max(place) AS last,
           bool_and((goal.viewer_id, goal.environment, goal.placement_id, goal.series_id)
                    IS NOT DISTINCT FROM (reward.viewer_id, reward.environment,
                        reward.placement_id, reward.series_id)) AS is_its_own
    FROM ads_reward reward JOIN ads_goal goal ON goal.id = reward.goal_id
    GROUP BY goal_id
) counted ON counted.goal_id = goal.id
WHERE (goal.ads_watched, goal.ads_watched, true)
   IS DISTINCT FROM (counted.ads, counted.last, counted.is_its_own);

-- check: a goal opened what it promised, by its last ad alone, and nothing before
SELECT goal.id::text, goal.reward || ' ' || goal.reward_amount
FROM ads_goal goal
LEFT JOIN (
    SELECT reward.goal_id, count(*) AS opened,
           bool_and(reward.place = goal.ads_needed
               AND (entitlement.viewer_id, entitlement.environment, entitlement.series_id,
                    entitlement.starts_at, entitlement.ends_at)
                   IS NOT DISTINCT FROM (goal.viewer_id, goal.environment, goal.series_id,
                    goal.granted_at, goal.access_ends_at)) AS is_right
    FROM ads_opening opening
    JOIN ads_reward reward ON reward.id = opening.reward_id
    JOIN ads_goal goal ON goal.id = reward.goal_id
    JOIN payments_entitlement entitlement ON entitlement.id = opening.entitlement_id
    GROUP BY reward.goal_id
) opened ON opened.goal_id = goal.id
WHERE NOT coalesce(opened.is_right, true)
   OR (goal.access_ends_at IS NOT NULL) <> (goal.reward = 'minutes' AND goal.granted_at IS NOT NULL)
   OR coalesce(opened.opened, 0) NOT BETWEEN
        CASE WHEN goal.granted_at IS NULL OR goal.reward = 'coins' THEN 0 ELSE 1 END
        AND CASE WHEN goal.granted_at IS NULL OR goal.reward = 'coins' THEN 0
                 WHEN goal.reward = 'episodes' THEN goal.reward_amount ELSE 1000000 END;

-- check: ads that were watched for coins gave them once, with what the ads had earned
SELECT goal.id::text, goal.reward_amount::text
FROM ads_goal goal
LEFT JOIN payments_transfer transfer ON transfer.id = goal.transfer_id
LEFT JOIN payments_entry entry
    ON entry.transfer_id = goal.transfer_id AND entry.account = 'rewards'
LEFT JOIN payments_lot lot ON lot.transfer_id = goal.transfer_id
WHERE goal.reward = 'coins' AND goal.granted_at IS NOT NULL
  AND ((transfer.code, transfer.viewer_id, transfer.environment, -entry.amount_coins)
        IS DISTINCT FROM ('reward'::varchar, goal.viewer_id, goal.environment,
            goal.reward_amount::bigint)
       OR lot.value_micros <> div(
            (SELECT sum(revenue_micros) FROM ads_reward WHERE goal_id = goal.id)
                * lot.granted_coins, goal.reward_amount::numeric));

-- check: coins by ad have their goal
SELECT transfer.id::text, transfer.reference
FROM payments_transfer transfer
WHERE transfer.code = 'reward' AND starts_with(transfer.reference, 'ad:')
  AND NOT EXISTS (SELECT FROM ads_goal WHERE transfer_id = transfer.id);

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
FROM (
    SELECT callback.* FROM ads_callback callback
    LEFT JOIN ads_resolution resolution ON resolution.callback_id = callback.id
    WHERE callback.verdict IN ('paid', 'late') OR resolution.kind = 'settled'
) callback
FULL JOIN ads_reward reward
    ON reward.network = callback.network AND reward.transaction_id = callback.transaction_id
   AND reward.session_id = callback.session_id
WHERE callback.id IS NULL OR reward.id IS NULL;

-- check: only what paid nothing is parked, and nothing that somebody has ended
SELECT callback.id::text, callback.verdict
FROM ads_callback callback
LEFT JOIN ads_resolution resolution ON resolution.callback_id = callback.id
WHERE (callback.is_parked OR resolution.id IS NOT NULL)
  AND callback.verdict NOT IN ('orphan', 'other_placement', 'other_viewer', 'expired')
   OR callback.is_parked AND resolution.id IS NOT NULL;
