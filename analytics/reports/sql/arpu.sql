-- name: arpu
-- How many viewers were active in each period, and what was billed in it and earned by ads.
-- $watermark: moment
-- $first_day: integer or null
-- $last_day: integer or null
-- defines: arpu, arppu
WITH seen AS (
    SELECT DISTINCT viewer_id,
           (date_diff('microsecond', TIMESTAMP '1970-01-01 00:00:00', occurred_at) + shift_us)
               // 86400000000 AS day
    FROM events
    JOIN zone_shifts ON occurred_at >= starts_at AND occurred_at < ends_at
    WHERE (type = 'app_open' OR (type = 'playback_progress' AND actual_ms >= 1000))
      AND environment = 'production'
      AND occurred_at < $watermark
      AND received_at < $watermark
), active AS (
    SELECT period, count(DISTINCT viewer_id) AS viewers
    FROM seen JOIN calendar USING (day)
    WHERE ($first_day IS NULL OR day >= $first_day) AND ($last_day IS NULL OR day <= $last_day)
    GROUP BY period
), money AS (
    SELECT viewer_id, created_at, paid_micros, net_micros, 0 AS ad_micros
    FROM billings
    ANTI JOIN flagged_viewers USING (viewer_id)
    WHERE created_at < $watermark
    UNION ALL
    -- Of an ad on the day of the view, whenever it became known.
    SELECT viewer_id, unlocked_at, 0, 0, value_micros
    FROM unlocks
    WHERE means = 'ad' AND created_at < $watermark
), dated AS (
    SELECT viewer_id, paid_micros, net_micros, ad_micros,
           (date_diff('microsecond', TIMESTAMP '1970-01-01 00:00:00', created_at) + shift_us)
               // 86400000000 AS day
    FROM money
    JOIN zone_shifts ON created_at >= starts_at AND created_at < ends_at
), by_viewer AS (
    SELECT period, viewer_id, sum(paid_micros) AS paid_micros, sum(net_micros) AS net_micros,
           sum(ad_micros) AS ad_micros
    FROM dated JOIN calendar USING (day)
    WHERE ($first_day IS NULL OR day >= $first_day) AND ($last_day IS NULL OR day <= $last_day)
    GROUP BY period, viewer_id
), earned AS (
    SELECT period, sum(net_micros) AS net_micros, sum(ad_micros) AS ad_micros,
           count(*) FILTER (WHERE paid_micros > 0) AS payers
    FROM by_viewer
    GROUP BY period
)
SELECT period,
       coalesce(viewers, 0) AS active_viewers,
       coalesce(payers, 0) AS payers,
       CAST(coalesce(net_micros, 0) AS BIGINT) AS net_micros,
       CAST(coalesce(ad_micros, 0) AS BIGINT) AS ad_micros
FROM active FULL JOIN earned USING (period)
ORDER BY period
