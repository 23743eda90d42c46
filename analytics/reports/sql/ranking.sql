-- name: ranking
-- Each title's starts with a complete window, what they earned in it, and its revenue to date.
-- What refunds took back before the watermark counts against the unlock that it was taken from.
-- $watermark: moment
-- $mature_until: moment
-- $hours: integer
-- defines: net_revenue_per_start
WITH mature AS (
    SELECT viewer_id, series_id, started_at FROM starts WHERE started_at <= $mature_until
), earned AS (
    SELECT mature.viewer_id, mature.series_id,
           coalesce(sum(value_micros) FILTER (WHERE means = 'coins'), 0) AS coin_micros,
           coalesce(sum(value_micros) FILTER (WHERE means = 'ad'), 0) AS ad_micros
    FROM mature
    JOIN unlocks
      ON unlocks.viewer_id = mature.viewer_id
     AND unlocks.series_id = mature.series_id
     AND unlocks.unlocked_at >= started_at
     AND unlocks.unlocked_at < started_at + INTERVAL 1 HOUR * $hours
     AND unlocks.created_at < $watermark
    GROUP BY mature.viewer_id, mature.series_id
), capped AS (
    SELECT earned.viewer_id, earned.series_id,
           -- no cap: least() passes null by
           CAST(least(coin_micros, cap_micros) AS DECIMAL(38, 0)) AS coin_micros,
           CAST(least(ad_micros, cap_micros) AS DECIMAL(38, 0)) AS ad_micros
    FROM earned LEFT JOIN caps USING (series_id)
), counted AS (
    SELECT mature.series_id,
           count(*) AS starts,
           count(*) FILTER (WHERE coin_micros > 0) AS converters,
           sum(coin_micros) AS "value",
           sum(coin_micros * coin_micros) AS value_squares,
           sum(ad_micros) AS ads,
           sum(ad_micros * ad_micros) AS ads_squares
    FROM mature LEFT JOIN capped USING (viewer_id, series_id)
    GROUP BY mature.series_id
), brought AS (
    SELECT series_id, viewer_id, sum(value_micros) AS micros,
           coalesce(sum(value_micros) FILTER (WHERE means = 'coins'), 0) AS coin_micros
    FROM unlocks
    WHERE created_at < $watermark
    GROUP BY series_id, viewer_id
), booked AS (
    -- Whose money all went back is no payer.
    SELECT series_id, sum(micros) AS revenue_micros, count(*) FILTER (WHERE coin_micros > 0) AS payers
    FROM brought
    GROUP BY series_id
)
SELECT titles.series_id, external_id, genre, locale, is_published,
       coalesce(starts, 0) AS starts,
       coalesce(converters, 0) AS converters,
       coalesce("value", 0) AS "value",
       coalesce(value_squares, 0) AS value_squares,
       coalesce(ads, 0) AS ads,
       coalesce(ads_squares, 0) AS ads_squares,
       coalesce(revenue_micros, 0) AS revenue_micros,
       coalesce(payers, 0) AS payers
FROM titles
LEFT JOIN counted USING (series_id)
LEFT JOIN booked USING (series_id)
WHERE is_published OR counted.starts > 0 OR booked.revenue_micros > 0
ORDER BY external_id
