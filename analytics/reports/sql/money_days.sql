-- name: money_days
-- What was billed and what was earned on each local day, by what brought the money; all that was before
-- the first day is on the day before it.
-- $watermark: moment
-- $first_day: integer
-- $last_day: integer
-- defines: gross_billings, net_billings, recognised_revenue, deferred_revenue
WITH posted AS (
    SELECT source, created_at, gross_micros, tax_micros, fee_micros, refunds_micros,
           0 AS earned_micros
    FROM billings
    -- What another system took is in no ledger of ours, and was never owed here.
    WHERE source <> 'imported'
    UNION ALL
    SELECT source, created_at, 0, 0, 0, 0, earned_micros FROM earnings
), dated AS (
    SELECT greatest((date_diff('microsecond', TIMESTAMP '1970-01-01 00:00:00', created_at) + shift_us)
                    // 86400000000, $first_day - 1) AS day,
           source, gross_micros, tax_micros, fee_micros, refunds_micros, earned_micros
    FROM posted
    JOIN zone_shifts ON created_at >= starts_at AND created_at < ends_at
    WHERE created_at < $watermark
), gone_back AS (
    SELECT day, purchase_id, sum(net_micros) AS net_micros
    FROM edges
    JOIN pass_refunds ON created_at < edge
    GROUP BY day, purchase_id
), standing AS (
    -- A pass is worth its net, less what of it went back, and that is earned evenly over its time.
    SELECT day,
           CAST(CASE WHEN created_at < edge THEN passes.net_micros ELSE 0 END
                - coalesce(gone_back.net_micros, 0) AS DECIMAL(38, 0))
               * date_diff('microsecond', passes.starts_at,
                           least(greatest(edge, passes.starts_at), passes.ends_at)) AS part,
           CAST(date_diff('microsecond', passes.starts_at, passes.ends_at) AS DECIMAL(38, 0))
               AS whole
    FROM edges
    CROSS JOIN passes
    LEFT JOIN gone_back USING (day, purchase_id)
), accrued AS (
    -- Up to the end of the day. The floor of a quotient too large for whole numbers of 64 bits.
    SELECT day, sum(CAST(round((part - part % whole) / whole) AS BIGINT)) AS earned_micros
    FROM standing
    GROUP BY day
), accrued_on AS (
    SELECT day, earned_micros - coalesce(lag(earned_micros) OVER (ORDER BY day), 0) AS earned_micros
    FROM accrued
)
SELECT day, source,
       CAST(sum(gross_micros) AS BIGINT) AS gross_micros,
       CAST(sum(tax_micros) AS BIGINT) AS tax_micros,
       CAST(sum(fee_micros) AS BIGINT) AS fee_micros,
       CAST(sum(refunds_micros) AS BIGINT) AS refunds_micros,
       CAST(sum(earned_micros) AS BIGINT) AS recognised_micros
FROM (
    SELECT day, source, gross_micros, tax_micros, fee_micros, refunds_micros, earned_micros FROM dated
    UNION ALL
    SELECT day, 'passes', 0, 0, 0, 0, earned_micros FROM accrued_on
) AS rungs
WHERE day <= $last_day
GROUP BY day, source
ORDER BY day, source
