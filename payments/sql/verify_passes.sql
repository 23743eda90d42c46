-- Every rule of passes, re-added from their rows. Each query lists violations: what, and where.

-- check: a pass that was bought has its cover, and a cover that was bought its pass
SELECT coalesce(given.id, cover.id)::text, coalesce(given.reference, cover.reference)
FROM (
    SELECT id, cover_id, viewer_id, environment, starts_at, ends_at,
           provider || ':' || transaction_id AS reference
    FROM payments_passpurchase
    UNION ALL
    SELECT booking.id, booking.cover_id, purchase.viewer_id, purchase.environment,
           greatest(purchase.starts_at, booking.created_at), purchase.ends_at,
           purchase.provider || ':' || purchase.transaction_id || ':' || booking.id
    FROM payments_passrefundbooking booking
    JOIN payments_passpurchase purchase ON purchase.id = booking.purchase_id
    WHERE booking.cover_id IS NOT NULL
) given
FULL JOIN (SELECT * FROM payments_cover WHERE source = 'pass') cover
    ON cover.id = given.cover_id
   AND cover.viewer_id = given.viewer_id AND cover.environment = given.environment
   AND cover.reference = given.reference
   AND cover.starts_at = given.starts_at AND cover.ends_at = given.ends_at
WHERE given.id IS NULL OR cover.id IS NULL;

-- check: a store transaction buys coins or a pass, not both
SELECT purchase.id::text, pass.id::text
FROM payments_purchase purchase
JOIN payments_passpurchase pass
    ON pass.provider = purchase.provider AND pass.environment = purchase.environment
   AND pass.transaction_id = purchase.transaction_id;

-- check: a pass lasts as long as was sold
SELECT id::text, starts_at || ' to ' || ends_at
FROM payments_passpurchase
WHERE ends_at <> (anchor_at AT TIME ZONE 'UTC'
                  + make_interval(months => anchor_months, days => period_days)) AT TIME ZONE 'UTC'
   OR starts_at <> (anchor_at AT TIME ZONE 'UTC'
                    + make_interval(months => anchor_months - period_months)) AT TIME ZONE 'UTC';

-- check: a pass that was bought has its time to itself
-- One that covers again after a refund that did not stand has its own time, which others may have been sold
-- meanwhile.
SELECT pass.id::text, earlier.id::text
FROM payments_passpurchase pass
JOIN payments_cover cover ON cover.id = pass.cover_id AND cover.closed_at IS NULL
JOIN payments_cover earlier
    ON earlier.viewer_id = pass.viewer_id AND earlier.environment = pass.environment
   AND earlier.id < cover.id AND earlier.closed_at IS NULL
   AND earlier.starts_at < pass.ends_at AND earlier.ends_at > pass.starts_at;

-- check: an intent's promise is kept once, to its own viewer
SELECT intent_id::text, count(*)::text
FROM payments_passpurchase WHERE intent_id IS NOT NULL GROUP BY intent_id HAVING count(*) > 1
UNION ALL
SELECT purchase.id::text, intent.id::text
FROM payments_passpurchase purchase JOIN payments_passintent intent ON intent.id = purchase.intent_id
WHERE (intent.viewer_id, intent.provider, intent.product_id, intent.period_months, intent.period_days)
   <> (purchase.viewer_id, purchase.provider, purchase.product_id, purchase.period_months,
       purchase.period_days);

-- check: a pass's net is what tax and the store's fee leave of its price
SELECT id::text, net_micros::text
FROM payments_passpurchase
WHERE exchange_rate = 1 AND net_micros <> gross_micros - tax_micros - fee_micros;

-- check: refunds of a pass took their part of what was paid, and what stands is booked
SELECT purchase.id::text, purchase.transaction_id
FROM payments_passpurchase purchase
JOIN (
    SELECT purchase_id, sum(gross_micros) AS gross, sum(tax_micros) AS tax, sum(fee_micros) AS fee,
           sum(net_micros) AS net
    FROM payments_passrefundbooking GROUP BY purchase_id
) booked ON booked.purchase_id = purchase.id
WHERE booked.gross NOT BETWEEN 0 AND purchase.gross_micros
   OR (purchase.gross_micros > 0 AND (booked.tax, booked.fee, booked.net) <> (
       div(purchase.tax_micros * booked.gross, purchase.gross_micros),
       div(purchase.fee_micros * booked.gross, purchase.gross_micros),
       div(purchase.net_micros * booked.gross, purchase.gross_micros)))
UNION ALL
SELECT refund.id::text, refund.transaction_id
FROM payments_refund refund
LEFT JOIN payments_passpurchase purchase
    ON purchase.provider = refund.provider AND purchase.environment = refund.environment
   AND purchase.transaction_id = refund.transaction_id
WHERE (refund.pass_booking_id IS NOT NULL)
   <> (purchase.id IS NOT NULL
       AND coalesce(refund.refunded_at > coalesce(refund.reversed_at, '-infinity'), false))
   OR refund.pass_purchase_id IS DISTINCT FROM purchase.id;

-- check: what undoes a refund of a pass is its opposite
SELECT undoing.id::text, undone.id::text
FROM payments_passrefundbooking undoing
JOIN payments_passrefundbooking undone ON undone.id = undoing.undoes_id
WHERE (undoing.refund_id, undoing.purchase_id, undoing.gross_micros, undoing.tax_micros,
       undoing.fee_micros, undoing.net_micros)
   <> (undone.refund_id, undone.purchase_id, -undone.gross_micros, -undone.tax_micros,
       -undone.fee_micros, -undone.net_micros)
UNION ALL
SELECT booking.id::text, booking.refund_id::text
FROM payments_passrefundbooking booking
WHERE booking.undoes_id IS NULL
  AND NOT EXISTS (SELECT FROM payments_refund WHERE pass_booking_id = booking.id)
  AND NOT EXISTS (SELECT FROM payments_passrefundbooking WHERE undoes_id = booking.id);

-- check: a pass covers to its end, unless all of its money has gone back
SELECT purchase.id::text, cover.id::text
FROM payments_passpurchase purchase
CROSS JOIN LATERAL (
    SELECT * FROM payments_cover
    WHERE id = purchase.cover_id
       OR id IN (SELECT cover_id FROM payments_passrefundbooking WHERE purchase_id = purchase.id)
    ORDER BY id DESC LIMIT 1
) cover
CROSS JOIN LATERAL (
    SELECT coalesce(max(created_at), '-infinity') AS at,
           coalesce(sum(gross_micros), 0) = purchase.gross_micros AND EXISTS (
               SELECT FROM payments_refund
               WHERE pass_purchase_id = purchase.id AND pass_booking_id IS NOT NULL) AS is_refunded
    FROM payments_passrefundbooking WHERE purchase_id = purchase.id
) booked
WHERE booked.at < purchase.ends_at AND (cover.closed_at IS NOT NULL) <> booked.is_refunded;
