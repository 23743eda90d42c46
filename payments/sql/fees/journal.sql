-- What settled fees did to the books from %(start)s on and before %(end)s in one environment: by kind of posting,
-- by the store that kept them, in micros of the reporting currency.
SELECT 'fee_settled' AS kind, provider, sum(difference_micros)::bigint AS micros
FROM payments_feeadjustment
WHERE environment = %(environment)s AND created_at >= %(start)s AND created_at < %(end)s
GROUP BY provider
