-- What coins did to the books from %(start)s on and before %(end)s in one environment: by kind of
-- posting, by the store whose money it is, in micros of the reporting currency.
SELECT 'sale' AS kind, provider, sum(net_micros)::bigint AS micros
FROM payments_purchase
WHERE environment = %(environment)s AND created_at >= %(start)s AND created_at < %(end)s
GROUP BY provider
UNION ALL
SELECT CASE transfer.code WHEN 'unlock' THEN 'spent'
                          WHEN 'unlock_reversal' THEN 'undone'
                          WHEN 'expiry' THEN 'lapsed' END,
       purchase.provider, sum(-movement.value_micros)::bigint
FROM payments_lotmovement movement
JOIN payments_lot lot ON lot.id = movement.lot_id
JOIN payments_purchase purchase ON purchase.transfer_id = lot.transfer_id
JOIN payments_transfer transfer ON transfer.id = movement.transfer_id
WHERE lot.environment = %(environment)s AND lot.origin IN ('purchase', 'pack_bonus')
  AND transfer.code IN ('unlock', 'unlock_reversal', 'expiry')
  AND movement.created_at >= %(start)s AND movement.created_at < %(end)s
GROUP BY transfer.code, purchase.provider
UNION ALL
SELECT CASE WHEN booking.undoes_id IS NULL THEN 'refunded_' ELSE 'reversed_' END || part.name,
       purchase.provider, sum(part.micros)::bigint
FROM payments_refundbooking booking
JOIN payments_purchase purchase ON purchase.id = booking.purchase_id
CROSS JOIN LATERAL (VALUES
    ('deferred', booking.deferred_micros),
    ('recognised', booking.recognised_micros),
    ('difference', booking.difference_micros)) AS part(name, micros)
WHERE purchase.environment = %(environment)s
  AND booking.created_at >= %(start)s AND booking.created_at < %(end)s
GROUP BY 1, purchase.provider
