-- Every rule of what ads earned, re-added from its rows. Each query lists violations: what, and where.

-- check: a view's corrections follow one another and come to what it is said to have earned
SELECT id::text, basis || ' #' || number
FROM (
    SELECT correction.id, correction.basis, correction.number, correction.earned_micros,
           row_number() OVER chain AS expected_number,
           sum(correction.difference_micros) OVER chain AS told_micros,
           CASE WHEN correction.basis = 'measured' THEN coalesce(reward.revenue_micros, 0) END
               AS kept_micros
    FROM ads_earningcorrection AS correction
    LEFT JOIN ads_reward AS reward ON reward.id = correction.reward_id
    WINDOW chain AS (
        PARTITION BY correction.subject_id, correction.basis ORDER BY correction.number)
) AS correction
WHERE number <> expected_number OR kept_micros + told_micros <> earned_micros;

-- check: no view is taken to have earned less than nothing
SELECT min(correction.id::text), sum(correction.difference_micros)::text
FROM ads_earningcorrection AS correction
LEFT JOIN ads_reward AS reward ON reward.id = correction.reward_id
WHERE correction.reward_id IS NOT NULL OR correction.impression_id IS NOT NULL
GROUP BY correction.subject_id, reward.id
HAVING coalesce(reward.revenue_micros, 0) + sum(correction.difference_micros) < 0;

-- check: a correction of a reward is of its viewer, title and environment
SELECT correction.id::text, reward.id::text
FROM ads_earningcorrection AS correction
JOIN ads_reward AS reward ON reward.id = correction.reward_id
WHERE (correction.environment, correction.network, correction.viewer_id, correction.series_id,
       correction.viewed_at)
   IS DISTINCT FROM (reward.environment, reward.network, reward.viewer_id, reward.series_id,
       reward.created_at);

-- check: versions of a reported day are numbered from one on, and each adds up to its lines
SELECT id::text, network || ' ' || day || ' #' || version
FROM (
    SELECT reported.id, reported.network, reported.day, reported.version, reported.revenue_micros,
           row_number() OVER (
               PARTITION BY reported.network, reported.scope, reported.day ORDER BY reported.version
           ) AS expected_version,
           (SELECT coalesce(sum(line.revenue_micros), 0) FROM ads_reportline AS line
            WHERE line.reported_day_id = reported.id) AS told_micros
    FROM ads_reportedday AS reported
) AS reported
WHERE version <> expected_version OR revenue_micros <> told_micros;
