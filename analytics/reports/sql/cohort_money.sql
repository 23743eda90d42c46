-- name: cohort_money
-- What each cohort paid and its ads earned up to each horizon, and how many of its members paid. Money
-- that came before the first open counts on the day of it.
-- $watermark: moment
-- defines: ltv, cohort_arppu
WITH money AS (
    SELECT viewer_id, created_at, paid_micros, net_micros, 0 AS ad_micros
    FROM billings
    WHERE created_at < $watermark
    UNION ALL
    -- Of an ad on the day of the view, whenever it became known.
    SELECT viewer_id, unlocked_at, 0, 0, value_micros
    FROM unlocks
    WHERE means = 'ad' AND created_at < $watermark
), dated AS (
    SELECT member, cell, paid_micros, net_micros, ad_micros,
           greatest((date_diff('microsecond', TIMESTAMP '1970-01-01 00:00:00', created_at) + shift_us)
                    // 86400000000 - opened_day, 0) AS distance
    FROM money
    JOIN member USING (viewer_id)
    JOIN zone_shifts ON created_at >= starts_at AND created_at < ends_at
), earned AS (
    SELECT horizon, member, cell, sum(paid_micros) AS paid_micros, sum(net_micros) AS net_micros,
           sum(ad_micros) AS ad_micros
    FROM dated
    JOIN horizons ON distance <= horizon
    GROUP BY horizon, member, cell
)
SELECT cell, horizon,
       CAST(sum(net_micros) AS BIGINT) AS net_micros,
       CAST(sum(ad_micros) AS BIGINT) AS ad_micros,
       -- Whose money all went back is no payer.
       count(*) FILTER (WHERE paid_micros > 0) AS payers
FROM earned
GROUP BY cell, horizon
ORDER BY cell, horizon
