-- What passes did to the books from %(start)s on and before %(end)s in one environment: by kind of posting,
-- by the store whose money it is, in micros of the reporting currency.
SELECT 'pass_sale' AS kind, provider, sum(net_micros)::bigint AS micros
FROM payments_passpurchase
WHERE environment = %(environment)s AND created_at >= %(start)s AND created_at < %(end)s
GROUP BY provider
UNION ALL
SELECT 'pass_refunded', purchase.provider, sum(booking.net_micros)::bigint
FROM payments_passrefundbooking booking
JOIN payments_passpurchase purchase ON purchase.id = booking.purchase_id
WHERE purchase.environment = %(environment)s
  AND booking.created_at >= %(start)s AND booking.created_at < %(end)s
GROUP BY purchase.provider
UNION ALL
-- What was earned up to the window's end, less what was up to its start.
SELECT 'pass_earned', provider, sum(sign * div(
    worth * extract(epoch FROM least(greatest(moment, starts_at), ends_at) - starts_at),
    extract(epoch FROM ends_at - starts_at)))::bigint
FROM (
    SELECT purchase.provider, purchase.starts_at, purchase.ends_at, edge.moment, edge.sign,
           CASE WHEN purchase.created_at < edge.moment THEN purchase.net_micros ELSE 0 END
           - coalesce((
               SELECT sum(booking.net_micros) FROM payments_passrefundbooking booking
               WHERE booking.purchase_id = purchase.id AND booking.created_at < edge.moment
           ), 0) AS worth
    FROM payments_passpurchase purchase
    CROSS JOIN (VALUES (%(start)s::timestamptz, -1), (%(end)s::timestamptz, 1))
        AS edge(moment, sign)
    WHERE purchase.environment = %(environment)s
      AND (purchase.ends_at >= %(start)s OR purchase.id IN (
          SELECT purchase_id FROM payments_passrefundbooking
          WHERE created_at >= %(start)s AND created_at < %(end)s))
) standing
GROUP BY provider
