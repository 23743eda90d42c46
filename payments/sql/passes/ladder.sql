-- The rungs of the money ladder that passes stand on, from %(start)s on and before %(end)s in one
-- environment, in micros of the reporting currency.
--
-- A pass is worth its net, less what of it has gone back. That is earned evenly over its time: up to a moment,
-- floor(worth × elapsed ÷ length), and all of it at its end. What is earned is read from purchases, and what
-- is deferred from the covers that they gave, or from what the store said of a subscription's period: the day's
-- invariants hold one against the other.
--
-- Of titles a period is attributed when it has ended. Until what covered viewers watch is counted, all of
-- it is unattributed.
WITH sold AS (
    SELECT coalesce(sum(round(gross_micros * exchange_rate)), 0) AS gross,
           coalesce(sum(round(tax_micros * exchange_rate)), 0) AS tax,
           coalesce(sum(net_micros), 0) AS net
    FROM payments_passpurchase
    WHERE environment = %(environment)s AND created_at >= %(start)s AND created_at < %(end)s
), refunded AS (
    SELECT coalesce(sum(booking.net_micros), 0) AS net
    FROM payments_passrefundbooking booking
    JOIN payments_passpurchase purchase ON purchase.id = booking.purchase_id
    WHERE purchase.environment = %(environment)s
      AND booking.created_at >= %(start)s AND booking.created_at < %(end)s
), standing AS (
    -- What may be worth something else at the window's end than at its start, at both. One that is
    -- bought later can have been refunded already, where clocks are simulated.
    SELECT edge.moment, edge.is_end, purchase.starts_at, purchase.ends_at,
           coalesce(cover.starts_at, greatest(purchase.created_at, purchase.store_starts_at))
               AS covers_from,
           coalesce(cover.ends_at, greatest(
               purchase.store_ends_at, purchase.created_at + interval '1 second',
               purchase.store_starts_at + interval '1 second')) AS covers_to,
           CASE WHEN purchase.created_at < edge.moment THEN purchase.net_micros ELSE 0 END
           - coalesce((
               SELECT sum(booking.net_micros) FROM payments_passrefundbooking booking
               WHERE booking.purchase_id = purchase.id AND booking.created_at < edge.moment
           ), 0) AS worth
    FROM payments_passpurchase purchase
    LEFT JOIN payments_cover cover ON cover.id = purchase.cover_id
    CROSS JOIN (VALUES (%(start)s::timestamptz, false), (%(end)s::timestamptz, true))
        AS edge(moment, is_end)
    WHERE purchase.environment = %(environment)s
      AND (purchase.ends_at >= %(start)s OR purchase.id IN (
          SELECT purchase_id FROM payments_passrefundbooking
          WHERE created_at >= %(start)s AND created_at < %(end)s))
), figures AS (
    SELECT is_end, worth,
           div(worth * extract(epoch FROM least(greatest(moment, starts_at), ends_at) - starts_at),
               extract(epoch FROM ends_at - starts_at)) AS earned,
           worth - div(
               worth * extract(epoch FROM least(greatest(moment, covers_from), covers_to)
                                          - covers_from),
               extract(epoch FROM covers_to - covers_from)) AS deferred,
           CASE WHEN ends_at < moment THEN worth ELSE 0 END AS periods,
           CASE WHEN covers_to < moment THEN worth ELSE 0 END AS ended
    FROM standing
), summed AS (
    SELECT coalesce(sum(CASE WHEN is_end THEN earned ELSE -earned END), 0) AS earned,
           coalesce(sum(CASE WHEN is_end THEN periods ELSE -periods END), 0) AS periods,
           coalesce(sum(CASE WHEN is_end THEN ended ELSE -ended END), 0) AS ended,
           coalesce(sum(deferred) FILTER (WHERE is_end), 0) AS deferred,
           coalesce(sum(deferred) FILTER (WHERE NOT is_end), 0) AS deferred_before
    FROM figures
)
SELECT rung, NULL::uuid AS series_id, micros::bigint AS micros
FROM sold, refunded, summed,
LATERAL (VALUES
    ('gross', sold.gross),
    ('tax', sold.tax),
    ('fee', sold.gross - sold.tax - sold.net),
    ('refunds', refunded.net),
    ('passes', summed.earned),
    ('ended', summed.ended),
    ('periods', summed.periods),
    ('deferred_before', summed.deferred_before),
    ('deferred', summed.deferred)
) AS rungs(rung, micros)
