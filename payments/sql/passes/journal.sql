-- What passes did to the books from %(start)s on and before %(end)s in one environment: by kind of posting,
-- by the store whose money it is, in micros of the reporting currency.
SELECT 'pass_sale' AS kind, provider, sum(net_micros)::bigint AS micros
FROM payments_passpurchase
WHERE environment = %(environment)s AND created_at >= %(start)s AND created_at < %(end)s
GROUP BY provider
UNION ALL
SELECT 'pass_earned', provider, sum(
    div(net_micros * extract(epoch FROM least(greatest(%(end)s, starts_at), ends_at) - starts_at),
        extract(epoch FROM ends_at - starts_at))
    - div(net_micros * extract(epoch FROM least(greatest(%(start)s, starts_at), ends_at) - starts_at),
          extract(epoch FROM ends_at - starts_at)))::bigint
FROM payments_passpurchase
WHERE environment = %(environment)s AND ends_at >= %(start)s AND created_at < %(end)s
GROUP BY provider
