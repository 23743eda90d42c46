-- Every rule of passes, re-added from their rows. Each query lists violations: what, and where.

-- check: a pass that was bought has its cover, and a cover that was bought its pass
SELECT coalesce(given.id, cover.id)::text, coalesce(given.reference, cover.reference)
FROM (
    SELECT id, cover_id, viewer_id, environment, starts_at, ends_at,
           provider || ':' || transaction_id AS reference
    FROM payments_passpurchase WHERE subscription_id IS NULL
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
WHERE subscription_id IS NULL
  AND (ends_at <> (anchor_at AT TIME ZONE 'UTC'
                   + make_interval(months => anchor_months, days => period_days)) AT TIME ZONE 'UTC'
       OR starts_at <> (anchor_at AT TIME ZONE 'UTC'
                        + make_interval(months => anchor_months - period_months)) AT TIME ZONE 'UTC');

-- check: a subscription's period is earned from when it was heard of to its end
SELECT id::text, starts_at || ' to ' || ends_at
FROM payments_passpurchase
WHERE subscription_id IS NOT NULL
  AND (starts_at <> greatest(created_at, store_starts_at)
       OR ends_at <> greatest(store_ends_at, starts_at + interval '1 second'));

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

-- check: a period is of a subscription in its store and environment
SELECT period.id::text, subscription.id::text
FROM payments_passpurchase period
JOIN payments_subscription subscription ON subscription.id = period.subscription_id
WHERE (period.provider, period.environment) <> (subscription.provider, subscription.environment);

-- check: a subscription is where the latest telling of it has put it
-- Of two of one moment that which opens longer is the later.
WITH telling AS (
    SELECT change.*, row_number() OVER (
        PARTITION BY subscription_id
        ORDER BY as_of DESC, access_until DESC NULLS LAST, state COLLATE "C" DESC, product_id DESC,
                 renews_as_id DESC NULLS LAST, price_consent COLLATE "C" DESC,
                 ownership COLLATE "C" DESC, replaces COLLATE "C" DESC,
                 renews_as_name COLLATE "C" DESC) AS place
    FROM payments_subscriptionchange change
)
SELECT subscription.id::text, subscription.state
FROM payments_subscription subscription
LEFT JOIN telling latest ON latest.subscription_id = subscription.id AND latest.place = 1
LEFT JOIN LATERAL (
    SELECT replaces FROM telling
    WHERE subscription_id = subscription.id AND replaces <> '' ORDER BY place LIMIT 1
) named ON true
WHERE latest.id IS NULL
   OR (latest.state, latest.product_id, latest.as_of, latest.ownership, latest.price_consent,
       latest.renews_as_name, coalesce(named.replaces, ''))
      <> (subscription.state, subscription.product_id, subscription.as_of, subscription.ownership,
          subscription.price_consent, subscription.renews_as_name, subscription.replaces)
   OR (latest.access_until, latest.renews_as_id)
      IS DISTINCT FROM (subscription.access_until, subscription.renews_as_id)
UNION ALL
SELECT telling.subscription_id::text, telling.id::text
FROM telling
WHERE telling.since >= telling.as_of OR telling.is_outdated <> EXISTS (
    SELECT FROM telling heard
    WHERE heard.subscription_id = telling.subscription_id AND heard.id < telling.id
      AND heard.place < telling.place);

-- check: a cover of a subscription is one that a subscription gave
SELECT cover.id::text, cover.reference
FROM payments_cover cover
LEFT JOIN payments_subscriptioncover part ON part.cover_id = cover.id
LEFT JOIN payments_subscription subscription ON subscription.id = part.subscription_id
WHERE (cover.source = 'subscription') <> (part.id IS NOT NULL)
   OR (part.id IS NOT NULL AND (
       cover.environment <> subscription.environment
       OR (cover.closed_at IS NULL) <> (part.ended_by = '')
       OR NOT starts_with(cover.reference, subscription.id || ':')));

-- check: a subscription covers its viewer for as long as it opens, and no longer
-- What ended before anything last changed is over, whoever had it.
WITH period AS (
    SELECT purchase.*, coalesce(booked.gross, 0) = purchase.gross_micros AND EXISTS (
               SELECT FROM payments_refund
               WHERE pass_purchase_id = purchase.id AND pass_booking_id IS NOT NULL) AS is_refunded,
           NOT is_prorated OR gross_micros > 0 AS is_paid_for,
           -- By what each is of: among those that were paid for, and among the whole ones.
           row_number() OVER (
               PARTITION BY subscription_id, is_prorated AND gross_micros = 0
               ORDER BY store_starts_at DESC, store_ends_at DESC, transaction_id COLLATE "C" DESC)
               AS place,
           row_number() OVER (
               PARTITION BY subscription_id, is_prorated
               ORDER BY store_starts_at DESC, store_ends_at DESC, transaction_id COLLATE "C" DESC)
               AS whole_place,
           greatest(purchase.created_at, booked.at) AS changed_at
    FROM payments_passpurchase purchase
    LEFT JOIN (
        SELECT purchase_id, sum(gross_micros) AS gross, max(created_at) AS at
        FROM payments_passrefundbooking GROUP BY purchase_id
    ) booked ON booked.purchase_id = purchase.id
    WHERE subscription_id IS NOT NULL
), standing AS (
    SELECT subscription.*,
           greatest(
               subscription.changed_at,
               (SELECT max(changed_at) FROM period WHERE subscription_id = subscription.id),
               (SELECT max(next.changed_at) FROM payments_subscription next
                WHERE next.provider = subscription.provider
                  AND next.environment = subscription.environment
                  AND next.replaces = subscription.subscription_id)) AS fitted_at,
           CASE
               WHEN subscription.state NOT IN ('active', 'cancelled', 'grace') OR EXISTS (
                   SELECT FROM payments_subscription next
                   WHERE next.provider = subscription.provider
                     AND next.environment = subscription.environment
                     AND next.replaces = subscription.subscription_id
                     AND next.state <> 'pending') THEN NULL
               WHEN latest.starts_at IS NULL THEN subscription.access_until
               ELSE least(subscription.access_until, latest.starts_at, (
                   SELECT coalesce(max(store_ends_at), '-infinity') FROM period
                   WHERE subscription_id = subscription.id AND is_paid_for AND NOT is_refunded))
           END AS opens_until
    FROM payments_subscription subscription
    LEFT JOIN LATERAL (
        SELECT min(store_starts_at) AS starts_at FROM period
        WHERE subscription_id = subscription.id AND is_refunded
          AND ((is_paid_for AND place = 1) OR (NOT is_prorated AND whole_place = 1))
          AND (subscription.state = 'grace' OR subscription.access_until <= store_ends_at)
    ) latest ON true
), covering AS (
    SELECT standing.id, max(cover.ends_at) AS until,
           bool_and(cover.viewer_id = standing.viewer_id) AS is_own
    FROM standing
    JOIN payments_subscriptioncover part ON part.subscription_id = standing.id
    JOIN payments_cover cover ON cover.id = part.cover_id
    WHERE cover.closed_at IS NULL AND cover.ends_at > standing.fitted_at
    GROUP BY standing.id
)
SELECT standing.id::text,
       'opens until ' || coalesce(standing.opens_until::text, 'never') || ', covered until '
       || coalesce(covering.until::text, 'never')
FROM standing LEFT JOIN covering ON covering.id = standing.id
WHERE coalesce(NOT covering.is_own, false)
   OR covering.until IS DISTINCT FROM
      CASE WHEN standing.opens_until > standing.fitted_at THEN standing.opens_until END;
