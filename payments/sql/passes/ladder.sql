-- The rungs of the money ladder that passes stand on, from %(start)s on and before %(end)s in one
-- environment, in micros of the reporting currency.
--
-- A pass is earned evenly over its time: up to a moment, floor(net × elapsed ÷ length), and all of it at its
-- end. What is earned is read from purchases, and what is deferred from the covers that they gave: the
-- day's invariants hold one against the other.
--
-- Of titles a period is attributed when it ends. Until what covered viewers watch is counted, all of it is
-- unattributed.
WITH sold AS (
    SELECT coalesce(sum(round(gross_micros * exchange_rate)), 0) AS gross,
           coalesce(sum(round(tax_micros * exchange_rate)), 0) AS tax,
           coalesce(sum(net_micros), 0) AS net
    FROM payments_passpurchase
    WHERE environment = %(environment)s AND created_at >= %(start)s AND created_at < %(end)s
), running AS (
    SELECT purchase.net_micros AS net, purchase.created_at, purchase.ends_at,
           cover.ends_at AS cover_ends_at,
           div(purchase.net_micros
               * extract(epoch FROM least(greatest(%(start)s, purchase.starts_at), purchase.ends_at)
                                    - purchase.starts_at),
               extract(epoch FROM purchase.ends_at - purchase.starts_at)) AS earned_before,
           div(purchase.net_micros
               * extract(epoch FROM least(greatest(%(end)s, purchase.starts_at), purchase.ends_at)
                                    - purchase.starts_at),
               extract(epoch FROM purchase.ends_at - purchase.starts_at)) AS earned,
           div(purchase.net_micros
               * extract(epoch FROM least(greatest(%(start)s, cover.starts_at), cover.ends_at)
                                    - cover.starts_at),
               extract(epoch FROM cover.ends_at - cover.starts_at)) AS uncovered_before,
           div(purchase.net_micros
               * extract(epoch FROM least(greatest(%(end)s, cover.starts_at), cover.ends_at)
                                    - cover.starts_at),
               extract(epoch FROM cover.ends_at - cover.starts_at)) AS uncovered
    FROM payments_passpurchase purchase JOIN payments_cover cover ON cover.id = purchase.cover_id
    WHERE purchase.environment = %(environment)s
      AND purchase.ends_at >= %(start)s AND purchase.created_at < %(end)s
), summed AS (
    SELECT coalesce(sum(earned - earned_before), 0) AS earned,
           coalesce(sum(net - uncovered_before) FILTER (WHERE created_at < %(start)s), 0)
               AS deferred_before,
           coalesce(sum(net - uncovered), 0) AS deferred,
           coalesce(sum(net) FILTER (
               WHERE cover_ends_at >= %(start)s AND cover_ends_at < %(end)s), 0) AS ended,
           coalesce(sum(net) FILTER (
               WHERE ends_at >= %(start)s AND ends_at < %(end)s), 0) AS periods
    FROM running
)
SELECT rung, NULL::uuid AS series_id, micros::bigint AS micros
FROM sold, summed,
LATERAL (VALUES
    ('gross', sold.gross),
    ('tax', sold.tax),
    ('fee', sold.gross - sold.tax - sold.net),
    ('passes', summed.earned),
    ('ended', summed.ended),
    ('periods', summed.periods),
    ('deferred_before', summed.deferred_before),
    ('deferred', summed.deferred)
) AS rungs(rung, micros)
