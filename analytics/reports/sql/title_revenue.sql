-- name: title_revenue
-- What each title earned on each local day: coins spent and their value, and ads that opened episodes.
-- What refunds took back is on the day that they did. Ads that were watched for coins are of no title, until
-- their coins are spent: then what they had earned is in a title's coins, and no longer there. What the flagged spent is of no title.
-- $series_id: text or null
-- $first_day: integer or null
-- $last_day: integer or null
-- defines: title_revenue
WITH spent AS (
    SELECT series_id, means, unlocks.unlocks, coins, value_micros, created_at FROM unlocks
    UNION ALL
    SELECT NULL, means, unlocks_left_out.unlocks, coins, value_micros, created_at
    FROM unlocks_left_out
), booked AS (
    SELECT (date_diff('microsecond', TIMESTAMP '1970-01-01 00:00:00', created_at) + shift_us)
               // 86400000000 AS day,
           series_id, means, spent.unlocks, coins, value_micros
    FROM spent
    JOIN zone_shifts ON created_at >= starts_at AND created_at < ends_at
    WHERE coalesce(series_id = $series_id, $series_id IS NULL)
)
SELECT day, booked.series_id, external_id, locale,
       coalesce(sum(booked.unlocks) FILTER (WHERE means = 'coins'), 0) AS coin_unlocks,
       coalesce(sum(booked.unlocks) FILTER (WHERE means = 'ad'), 0) AS ad_unlocks,
       sum(coins) AS coins_spent,
       coalesce(sum(value_micros) FILTER (WHERE means = 'coins'), 0) AS coin_value_micros,
       coalesce(sum(value_micros) FILTER (WHERE means IN ('ad', 'carried')), 0) AS ad_revenue_micros
FROM booked
LEFT JOIN titles USING (series_id)
WHERE ($first_day IS NULL OR day >= $first_day) AND ($last_day IS NULL OR day <= $last_day)
GROUP BY day, booked.series_id, external_id, locale
ORDER BY day, booked.series_id NULLS LAST
