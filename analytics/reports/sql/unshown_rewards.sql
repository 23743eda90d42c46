-- name: unshown_rewards
-- Rewards of ads of each local day by whom and where they were had, how many of those were shown, by an impression or
-- the app's event, and asked for, of days that have more of them than are told, and few of them shown. Of a viewer
-- only rewards at placements and networks that tell: of which that share of the day's rewards was shown.
-- $watermark: moment
-- $since: moment
-- $first_day: integer
-- $last_day: integer
-- $least_rewards: integer
-- $least_shown_percent: integer
WITH told AS (
    SELECT DISTINCT type, ad_session_id, viewer_id
    FROM events
    WHERE type IN ('ad_requested', 'ad_shown')
      AND environment = 'production'
      AND occurred_at >= $since
      AND received_at < $watermark
), shown AS (
    SELECT ad_session_id, viewer_id, 1 AS shown FROM told WHERE type = 'ad_shown'
), requested AS (
    SELECT DISTINCT ad_session_id, viewer_id, 1 AS requested FROM told WHERE type = 'ad_requested'
), impressed AS (
    SELECT DISTINCT ad_session_id, 1 AS impressed FROM ad_impressions
), rewarded AS (
    SELECT (date_diff('microsecond', TIMESTAMP '1970-01-01 00:00:00', rewarded_at) + shift_us)
               // 86400000000 AS day,
           rewarded_at, ad_sessions.ad_session_id, ad_sessions.viewer_id, network, placement,
           greatest(coalesce(shown, 0), coalesce(impressed, 0)) AS shown,
           coalesce(requested, 0) AS requested
    FROM ad_sessions
    JOIN zone_shifts ON rewarded_at >= starts_at AND rewarded_at < ends_at
    LEFT JOIN shown
      ON shown.ad_session_id = ad_sessions.ad_session_id AND shown.viewer_id = ad_sessions.viewer_id
    LEFT JOIN requested
      ON requested.ad_session_id = ad_sessions.ad_session_id
     AND requested.viewer_id = ad_sessions.viewer_id
    LEFT JOIN impressed ON impressed.ad_session_id = ad_sessions.ad_session_id
    WHERE rewarded_at < $watermark
), judged AS (
    SELECT day, rewarded_at, viewer_id, network, placement, shown, requested,
           sum(shown) OVER (PARTITION BY day, placement) * 100
               >= count(*) OVER (PARTITION BY day, placement) * $least_shown_percent
           AND sum(shown) OVER (PARTITION BY day, network) * 100
               >= count(*) OVER (PARTITION BY day, network) * $least_shown_percent AS tells
    FROM rewarded
    WHERE day >= $first_day AND day <= $last_day
), dated AS (
    SELECT day, 'viewer' AS scope, viewer_id AS subject, shown, requested, rewarded_at
    FROM judged
    WHERE tells
    UNION ALL
    SELECT day, 'placement', placement, shown, requested, rewarded_at FROM judged
    UNION ALL
    SELECT day, 'network', network, shown, requested, rewarded_at FROM judged
    UNION ALL
    SELECT judged.day, kind, origin, shown, requested, rewarded_at
    FROM judged
    JOIN ad_origins ON ad_origins.day = judged.day AND ad_origins.viewer_id = judged.viewer_id
)
SELECT day, scope, subject, count(*) AS rewards,
       CAST(sum(shown) AS BIGINT) AS shown, CAST(sum(requested) AS BIGINT) AS requested,
       min(rewarded_at) AS began_at, max(rewarded_at) AS ended_at
FROM dated
GROUP BY day, scope, subject
HAVING count(*) >= $least_rewards AND sum(shown) * 100 < count(*) * $least_shown_percent
ORDER BY day, scope, subject
