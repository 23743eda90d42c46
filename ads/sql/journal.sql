-- What ads did to the books from %(start)s on and before %(end)s in one environment, by network.
SELECT 'ad' AS kind, network AS provider, sum(revenue_micros)::bigint AS micros
FROM ads_reward
WHERE environment = %(environment)s AND created_at >= %(start)s AND created_at < %(end)s
GROUP BY network
