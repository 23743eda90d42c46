-- What ads earned, as rows that add up: the estimate that each reward keeps, and what became known beyond it.
--
-- `viewed_at` is the day's that an ad counts for: of a reward its own moment, else that of the impression.
-- `booked_at` is when the row was written: books that close their days have it there. `impressions` is 1 once
-- for each impression of no session, of which no event tells that it was shown, and taken back where it proves
-- to have been told of twice. What a report has of no view that is known here is not `of_view`.
CREATE VIEW ads_earning AS
SELECT reward.id, 'estimate' AS basis, reward.environment, reward.network, reward.viewer_id,
       reward.placement_id, reward.series_id, reward.episode_id, reward.revenue_micros AS micros,
       1 AS rewards, 0 AS impressions, true AS of_view, reward.created_at AS viewed_at,
       reward.created_at AS booked_at
FROM ads_reward AS reward
UNION ALL
SELECT correction.id, correction.basis, correction.environment, correction.network,
       correction.viewer_id, correction.placement_id, correction.series_id, correction.episode_id,
       correction.difference_micros, 0,
       CASE WHEN correction.basis <> 'measured' OR impression.id IS NULL
              OR impression.session_id IS NOT NULL THEN 0
            WHEN correction.number = 1 THEN 1 ELSE -1 END,
       correction.reward_id IS NOT NULL OR correction.impression_id IS NOT NULL,
       correction.viewed_at, correction.created_at
FROM ads_earningcorrection AS correction
LEFT JOIN ads_impression AS impression ON impression.id = correction.impression_id;
