-- The rung of the money ladder that ads stand on: what those that were watched from %(start)s on and before
-- %(end)s are taken to have earned, on the title that each of them was watched for; on none where that was coins,
-- which take it to the titles that they are spent on.
SELECT 'ads' AS rung, series_id, sum(revenue_micros)::bigint AS micros
FROM ads_reward
WHERE environment = %(environment)s AND created_at >= %(start)s AND created_at < %(end)s
GROUP BY series_id
