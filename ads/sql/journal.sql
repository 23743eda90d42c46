-- What ads did to the books from %(start)s on and before %(end)s in one environment, by network: what they are
-- taken to have earned, and what became known beyond that, on the day on which it was booked.
SELECT CASE WHEN basis = 'estimate' THEN 'ad' ELSE 'ad_settled' END AS kind, network AS provider,
       sum(micros)::bigint AS micros
FROM ads_earning
WHERE environment = %(environment)s AND booked_at >= %(start)s AND booked_at < %(end)s
GROUP BY 1, 2
