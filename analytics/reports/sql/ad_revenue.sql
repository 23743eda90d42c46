-- name: ad_revenue
-- What ads were asked for, shown, confirmed and earned, by local day, network and placement.
-- $watermark: moment
-- $first_day: integer or null
-- $last_day: integer or null
-- defines: ad_revenue, ecpm, ad_fill_rate, ad_show_rate, ad_reward_rate
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
    SELECT network, placement, type, reason, happened_at, rewarded_at
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
           0 AS rewards, 0 AS revenue_micros
    FROM told_of
    UNION ALL
    SELECT network, placement, rewarded_at, 0, 0, 0, 0, 1, revenue_micros
    FROM ad_sessions
    WHERE rewarded_at < $watermark
), dated AS (
    SELECT (date_diff('microsecond', TIMESTAMP '1970-01-01 00:00:00', happened_at) + shift_us)
               // 86400000000 AS day,
           network, placement, requests, filled, shown, confirmed, rewards, revenue_micros
    FROM fact
    JOIN zone_shifts ON happened_at >= starts_at AND happened_at < ends_at
)
SELECT day, network, placement,
       CAST(sum(requests) AS BIGINT) AS requests,
       CAST(sum(filled) AS BIGINT) AS filled,
       CAST(sum(shown) AS BIGINT) AS shown,
       CAST(sum(confirmed) AS BIGINT) AS confirmed,
       CAST(sum(rewards) AS BIGINT) AS rewards,
       CAST(sum(revenue_micros) AS BIGINT) AS revenue_micros
FROM dated
WHERE ($first_day IS NULL OR day >= $first_day) AND ($last_day IS NULL OR day <= $last_day)
GROUP BY day, network, placement
ORDER BY day, network, placement
