-- name: ads
-- Sessions of ads at their first showing, by placement.
-- $since: moment
-- $until: moment
WITH shown AS (
    SELECT ad_session_id, environment, placement, min(occurred_at) AS shown_at
    FROM timely
    WHERE type = 'ad_shown' AND occurred_at < $until
    GROUP BY ad_session_id, environment, placement
)
SELECT date_diff('microsecond', TIMESTAMP '1970-01-01 00:00:00', shown_at) // 900000000 AS slice,
       environment, placement, count(*) AS ads_shown
FROM shown
WHERE shown_at >= $since
GROUP BY slice, environment, placement
