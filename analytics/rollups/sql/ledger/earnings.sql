-- Revenue at the moment that it is recognised: coins and ads by their rows, passes as their time goes by.
WITH earned AS (
    SELECT created_at, environment, 'coins' AS source, value_micros AS micros
    FROM payments_unlock
    WHERE created_at >= %(since)s AND created_at < %(until)s
    UNION ALL
    SELECT correction.created_at, spent.environment, 'coins', correction.value_micros
    FROM payments_unlockcorrection AS correction
    JOIN payments_unlock AS spent ON spent.id = correction.unlock_id
    WHERE correction.created_at >= %(since)s AND correction.created_at < %(until)s
    UNION ALL
    SELECT movement.created_at, lot.environment, 'coins', -movement.value_micros
    FROM payments_lotmovement AS movement
    JOIN payments_lot AS lot ON lot.id = movement.lot_id
    JOIN payments_transfer AS transfer ON transfer.id = movement.transfer_id
    WHERE transfer.code = 'expiry' AND lot.origin IN ('purchase', 'pack_bonus')
      AND movement.created_at >= %(since)s AND movement.created_at < %(until)s
    UNION ALL
    SELECT booking.created_at, purchase.environment, 'coins', -booking.difference_micros
    FROM payments_refundbooking AS booking
    JOIN payments_purchase AS purchase ON purchase.id = booking.purchase_id
    WHERE booking.created_at >= %(since)s AND booking.created_at < %(until)s
    UNION ALL
    SELECT created_at, environment,
           CASE WHEN pass_purchase_id IS NULL THEN 'coins' ELSE 'passes' END, -difference_micros
    FROM payments_feeadjustment
    WHERE created_at >= %(since)s AND created_at < %(until)s
    UNION ALL
    SELECT booked_at, environment, 'ads', micros
    FROM ads_earning
    WHERE booked_at >= %(since)s AND booked_at < %(until)s
), running AS (
    -- Passes that earn something in this time, or of which something goes back; `is_less` where something has.
    SELECT id, environment, net_micros, starts_at, ends_at, created_at,
           id IN (SELECT purchase_id FROM payments_passrefundbooking WHERE created_at < %(until)s)
               AS is_less
    FROM payments_passpurchase
    WHERE (starts_at < %(until)s AND ends_at > %(since)s)
       OR id IN (
              SELECT purchase_id FROM payments_passrefundbooking
              WHERE created_at >= %(since)s AND created_at < %(until)s)
), accrued AS (
    -- Up to each edge of a slice: what the pass is worth by then, evenly over its time. Each one's floor by
    -- itself: only so do days add up to the micro.
    SELECT edge, running.environment,
           sum(div(
               (CASE WHEN running.created_at < edge THEN running.net_micros ELSE 0 END
                - CASE WHEN is_less THEN coalesce((
                    SELECT sum(booking.net_micros)
                    FROM payments_passrefundbooking AS booking
                    WHERE booking.purchase_id = running.id AND booking.created_at < edge), 0)
                  ELSE 0 END)
               * extract(epoch FROM least(greatest(edge, starts_at), ends_at) - starts_at) * 1000000,
               extract(epoch FROM ends_at - starts_at) * 1000000)) AS micros
    FROM running
    CROSS JOIN generate_series(%(since)s, %(until)s, interval '15 minutes') AS edge
    GROUP BY edge, running.environment
), accrual AS (
    SELECT lag(edge) OVER running_on AS created_at, environment, 'passes' AS source,
           micros - lag(micros) OVER running_on AS micros
    FROM accrued
    WINDOW running_on AS (PARTITION BY environment ORDER BY edge)
), every AS (
    SELECT created_at, environment, source, micros FROM earned
    UNION ALL
    SELECT created_at, environment, source, micros FROM accrual WHERE created_at IS NOT NULL
)
SELECT date_bin('15 minutes', created_at, timestamptz '2000-01-01 00:00:00+00') AS slice,
       environment, source, sum(micros)::bigint AS recognised_revenue
FROM every
GROUP BY slice, environment, source
