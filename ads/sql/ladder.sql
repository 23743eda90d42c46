-- The rung of the money ladder that ads stand on: what those that were watched from %(start)s on and before
-- %(end)s are taken to have earned, on the title that each of them was watched for, and what became known in that
-- time of earlier ones; on none where that was coins, which take it to the titles that they are spent on. A closed
-- day stays as it was.
SELECT 'ads' AS rung, series_id, sum(micros)::bigint AS micros
FROM ads_earning
WHERE environment = %(environment)s AND booked_at >= %(start)s AND booked_at < %(end)s
GROUP BY series_id
