-- The rungs of the money ladder that coins stand on: what was posted from %(start)s on and before %(end)s
-- in one environment, in micros of the reporting currency, of a title where it is a title's.
--
-- What ads had earned with coins is no revenue of those coins: it was recognised when the ads were watched, of no
-- title. As the coins are spent it becomes the titles', and that much less is of none.
--
-- `deferred` is a balance: the value left in bought lots at the window's end, and `deferred_before` that at
-- its start. Both are what the lots hold now, less what was granted and what moved since.
WITH sold AS (
    SELECT coalesce(sum(round(gross_micros * exchange_rate)), 0) AS gross,
           coalesce(sum(round(tax_micros * exchange_rate)), 0) AS tax,
           coalesce(sum(net_micros), 0) AS net
    FROM payments_purchase
    WHERE environment = %(environment)s AND created_at >= %(start)s AND created_at < %(end)s
), refunded AS (
    SELECT coalesce(sum(booking.net_micros), 0) AS net,
           coalesce(sum(booking.recognised_micros), 0) AS recognised,
           coalesce(sum(booking.difference_micros), 0) AS difference
    FROM payments_refundbooking booking
    JOIN payments_purchase purchase ON purchase.id = booking.purchase_id
    WHERE purchase.environment = %(environment)s
      AND booking.created_at >= %(start)s AND booking.created_at < %(end)s
), earned AS (
    SELECT episode_id, value_micros AS value, attribution_micros AS attribution
    FROM payments_unlock
    WHERE environment = %(environment)s AND created_at >= %(start)s AND created_at < %(end)s
    UNION ALL
    SELECT unlock.episode_id, correction.value_micros, correction.attribution_micros
    FROM payments_unlockcorrection correction
    JOIN payments_unlock unlock ON unlock.id = correction.unlock_id
    WHERE unlock.environment = %(environment)s
      AND correction.created_at >= %(start)s AND correction.created_at < %(end)s
), titled AS (
    SELECT episode.series_id, sum(value) AS value, sum(attribution) AS attribution
    FROM earned JOIN catalog_episode episode ON episode.id = earned.episode_id
    GROUP BY episode.series_id
), moved AS (
    -- The same from the other side: what left the lots, and came back.
    SELECT coalesce(sum(-movement.value_micros)
               FILTER (WHERE transfer.code IN ('unlock', 'unlock_reversal')
                         AND lot.origin IN ('purchase', 'pack_bonus')), 0) AS spent,
           coalesce(sum(-movement.value_micros)
               FILTER (WHERE transfer.code = 'expiry'
                         AND lot.origin IN ('purchase', 'pack_bonus')), 0) AS lapsed
    FROM payments_lotmovement movement
    JOIN payments_lot lot ON lot.id = movement.lot_id
    JOIN payments_transfer transfer ON transfer.id = movement.transfer_id
    WHERE lot.environment = %(environment)s
      AND movement.created_at >= %(start)s AND movement.created_at < %(end)s
), held AS (
    SELECT coalesce(sum(remaining_value_micros), 0) AS now
    FROM payments_lot
    WHERE environment = %(environment)s AND origin IN ('purchase', 'pack_bonus')
), since AS (
    SELECT coalesce(sum(value), 0) AS start,
           coalesce(sum(value) FILTER (WHERE moment >= %(end)s), 0) AS end
    FROM (
        SELECT granted_at AS moment, value_micros AS value
        FROM payments_lot
        WHERE environment = %(environment)s AND origin IN ('purchase', 'pack_bonus')
          AND granted_at >= %(start)s
        UNION ALL
        SELECT movement.created_at, movement.value_micros
        FROM payments_lotmovement movement JOIN payments_lot lot ON lot.id = movement.lot_id
        WHERE lot.environment = %(environment)s AND lot.origin IN ('purchase', 'pack_bonus')
          AND movement.created_at >= %(start)s
    ) AS later
)
SELECT rung, NULL::uuid AS series_id, micros::bigint AS micros
FROM sold, refunded, moved, held, since,
LATERAL (VALUES
    ('gross', sold.gross),
    ('tax', sold.tax),
    -- What neither the state nor we got.
    ('fee', sold.gross - sold.tax - sold.net),
    ('refunds', refunded.net),
    ('difference', -refunded.difference),
    ('breakage', moved.lapsed),
    ('spent', moved.spent - refunded.recognised),
    ('deferred_before', held.now - since.start),
    ('deferred', held.now - since.end)
) AS rungs(rung, micros)
UNION ALL
SELECT 'coins', series_id, value::bigint FROM titled
UNION ALL
SELECT 'attribution', series_id, attribution::bigint FROM titled WHERE attribution <> 0
UNION ALL
SELECT 'attribution', NULL, -sum(attribution)::bigint FROM titled HAVING sum(attribution) <> 0
