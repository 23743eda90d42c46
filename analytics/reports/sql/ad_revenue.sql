-- name: ad_revenue
-- What ads were asked for, shown, confirmed and earned, by local day, network and placement, how long the
-- confirmation of those shown took at most of 19 in 20, and what their networks reported of their own days. Of
-- the flagged only what their ads earned is in it, which networks report with the rest: `left_out_micros`.
-- $watermark: moment
-- $first_day: integer or null
-- $last_day: integer or null
-- defines: ad_revenue, ad_estimate_factor, ecpm, ad_fill_rate, ad_show_rate, ad_reward_rate
WITH told AS (
    -- A session's first word of each kind counts.
    SELECT type, reason, ad_session_id, viewer_id, min(occurred_at) AS happened_at
    FROM events
    WHERE type IN ('ad_requested', 'ad_shown')
      AND environment = 'production'
      AND occurred_at < $watermark
      AND received_at < $watermark
    GROUP BY type, reason, ad_session_id, viewer_id
), told_of AS (
    SELECT network, placement, type, reason, happened_at, rewarded_at, settled_at
    FROM told
    JOIN ad_sessions
      ON ad_sessions.ad_session_id = told.ad_session_id
     AND ad_sessions.viewer_id = told.viewer_id
), fact AS (
    SELECT network, placement, happened_at,
           CASE WHEN type = 'ad_requested' THEN 1 ELSE 0 END AS requests,
           CASE WHEN type = 'ad_requested' AND reason = 'filled' THEN 1 ELSE 0 END AS filled,
           CASE WHEN type = 'ad_shown' THEN 1 ELSE 0 END AS shown,
           CASE WHEN type = 'ad_shown' AND rewarded_at < $watermark THEN 1 ELSE 0 END AS confirmed,
           -- The network may still call.
           CASE WHEN type = 'ad_shown' AND settled_at >= $watermark THEN 1 ELSE 0 END AS awaited,
           greatest(date_diff('microsecond', happened_at, rewarded_at) // 1000, 0) AS lag_ms,
           0 AS rewards, 0 AS impressions, 0 AS revenue_micros, 0 AS estimated_micros,
           0 AS remainder_micros, 0 AS left_out_micros
    FROM told_of
    UNION ALL
    SELECT network, placement, rewarded_at, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0
    FROM ad_sessions
    WHERE rewarded_at < $watermark
    UNION ALL
    SELECT network, placement, viewed_at, 0, 0, 0, 0, 0, 0, 0,
           CASE WHEN is_left_out THEN 0 ELSE impressions END, micros, estimated_micros,
           CASE WHEN of_view THEN 0 ELSE micros END, CASE WHEN is_left_out THEN micros ELSE 0 END
    FROM ad_earnings
    WHERE viewed_at < $watermark AND booked_at < $watermark
), dated AS (
    SELECT (date_diff('microsecond', TIMESTAMP '1970-01-01 00:00:00', happened_at) + shift_us)
               // 86400000000 AS day,
           network, placement, requests, filled, shown, confirmed, awaited, lag_ms, rewards,
           impressions, revenue_micros, estimated_micros, remainder_micros, left_out_micros
    FROM fact
    JOIN zone_shifts ON happened_at >= starts_at AND happened_at < ends_at
), placed AS (
    SELECT day, network, placement, lag_ms,
           row_number() OVER (PARTITION BY day, network, placement ORDER BY lag_ms) AS place,
           count(*) OVER (PARTITION BY day, network, placement) AS confirmed
    FROM dated
    WHERE confirmed = 1
), lag AS (
    -- The smallest that 95 percent do not exceed.
    SELECT day, network, placement, min(lag_ms) AS lag_p95_ms
    FROM placed
    WHERE place * 100 >= confirmed * 95
    GROUP BY day, network, placement
), counted AS (
    SELECT day, network, placement,
           CAST(sum(requests) AS BIGINT) AS requests,
           CAST(sum(filled) AS BIGINT) AS filled,
           CAST(sum(shown) AS BIGINT) AS shown,
           CAST(sum(confirmed) AS BIGINT) AS confirmed,
           CAST(sum(awaited) AS BIGINT) AS awaited,
           CAST(sum(rewards) AS BIGINT) AS rewards,
           CAST(sum(impressions) AS BIGINT) AS impressions,
           CAST(sum(revenue_micros) AS BIGINT) AS revenue_micros,
           CAST(sum(estimated_micros) AS BIGINT) AS estimated_micros,
           CAST(sum(remainder_micros) AS BIGINT) AS remainder_micros,
           CAST(sum(left_out_micros) AS BIGINT) AS left_out_micros
    FROM dated
    GROUP BY day, network, placement
), version AS (
    SELECT day, network, placement, estimated_micros, reported_micros,
           row_number() OVER (PARTITION BY cell ORDER BY number DESC) AS age
    FROM ad_true_ups
    WHERE created_at < $watermark
), trued AS (
    SELECT day, network, placement,
           CAST(sum(estimated_micros) AS BIGINT) AS compared_micros,
           CAST(sum(reported_micros) AS BIGINT) AS reported_micros
    FROM version
    WHERE age = 1
    GROUP BY day, network, placement
)
SELECT day, network, placement,
       coalesce(requests, 0) AS requests,
       coalesce(filled, 0) AS filled,
       coalesce(shown, 0) AS shown,
       coalesce(confirmed, 0) AS confirmed,
       coalesce(awaited, 0) AS awaited,
       coalesce(rewards, 0) AS rewards,
       coalesce(impressions, 0) AS impressions,
       coalesce(revenue_micros, 0) AS revenue_micros,
       coalesce(estimated_micros, 0) AS estimated_micros,
       coalesce(remainder_micros, 0) AS remainder_micros,
       coalesce(left_out_micros, 0) AS left_out_micros,
       compared_micros, reported_micros, lag_p95_ms
FROM counted
FULL JOIN trued USING (day, network, placement)
LEFT JOIN lag USING (day, network, placement)
WHERE ($first_day IS NULL OR day >= $first_day) AND ($last_day IS NULL OR day <= $last_day)
ORDER BY day, network, placement
