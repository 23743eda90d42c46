-- name: first_opens
-- Viewers at their first app_open, by where, on what and through which channel that was.
-- $since: moment
-- $until: moment
WITH first_open AS (
    SELECT viewer_id, environment,
           arg_min({'opened_at': occurred_at, 'channel': channel, 'country': country,
                    'platform': platform}, (occurred_at, event_id)) AS earliest
    FROM timely
    WHERE type = 'app_open' AND occurred_at < $until
    GROUP BY viewer_id, environment
)
SELECT date_diff('microsecond', TIMESTAMP '1970-01-01 00:00:00', earliest.opened_at) // 900000000
           AS slice,
       environment, earliest.country AS country, earliest.platform AS platform,
       earliest.channel AS channel, count(*) AS new_viewers
FROM first_open
WHERE earliest.opened_at >= $since
GROUP BY slice, environment, earliest.country, earliest.platform, earliest.channel
