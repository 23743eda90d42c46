-- name: episode_survival
-- How many viewers of a series each released episode had, how many went on to the next, and how many met
-- its paywall.
-- $series_id: text
-- $watermark: moment
-- defines: episode_survival
WITH place AS (
    SELECT episode_id, number, row_number() OVER (ORDER BY number, episode_id) AS place
    FROM episodes
    WHERE series_id = $series_id AND is_published
), session AS (
    SELECT viewer_id, place,
           min(occurred_at - INTERVAL 1 MILLISECOND * actual_ms) AS began_at,
           max(occurred_at) AS ended_at
    FROM events
    JOIN place USING (episode_id)
    WHERE series_id = $series_id
      AND type = 'playback_progress'
      AND environment = 'production'
      AND occurred_at < $watermark
      AND received_at < $watermark
    GROUP BY viewer_id, place, playback_session_id
    HAVING sum(actual_ms) >= 3000
), played AS (
    SELECT viewer_id, place, min(began_at) AS first_at, max(ended_at) AS last_at
    FROM session
    GROUP BY viewer_id, place
), entry AS (
    SELECT viewer_id, arg_min(place, (first_at, place)) AS entry FROM played GROUP BY viewer_id
), onward AS (
    SELECT DISTINCT played.viewer_id, played.place, true AS goes_on
    FROM played
    JOIN session
      ON session.viewer_id = played.viewer_id
     AND session.place = played.place + 1
     AND session.began_at >= first_at
     AND session.began_at < last_at + INTERVAL 7 DAY
), shown AS (
    SELECT viewer_id, place, occurred_at,
           row_number() OVER (PARTITION BY viewer_id ORDER BY occurred_at, event_id) = 1 AS is_first
    FROM events
    JOIN place USING (episode_id)
    WHERE series_id = $series_id
      AND type = 'paywall_shown'
      AND environment = 'production'
      AND occurred_at < $watermark
      AND received_at < $watermark
), walled AS (
    SELECT played.viewer_id, played.place, bool_or(is_first) AS is_first_wall, true AS met_wall
    FROM played
    JOIN shown
      ON shown.viewer_id = played.viewer_id
     AND shown.place = played.place + 1
     AND occurred_at >= first_at
     AND occurred_at < last_at + INTERVAL 7 DAY
    GROUP BY played.viewer_id, played.place
), stopped AS (
    SELECT viewer_id, min(place) AS stop
    FROM played JOIN entry USING (viewer_id) LEFT JOIN onward USING (viewer_id, place)
    WHERE place >= entry AND goes_on IS NULL
    GROUP BY viewer_id
), outcome AS (
    SELECT place, coalesce(met_wall, false) AS met_wall,
           coalesce(is_first_wall, false) AS is_first_wall,
           CASE WHEN goes_on THEN 'passed'
                WHEN place = (SELECT max(place) FROM place) THEN 'end'
                WHEN last_at + INTERVAL 7 DAY > $watermark THEN 'waiting'
                ELSE 'dropped' END AS outcome
    FROM played
    JOIN entry USING (viewer_id)
    JOIN stopped USING (viewer_id)
    LEFT JOIN onward USING (viewer_id, place)
    LEFT JOIN walled USING (viewer_id, place)
    WHERE place >= entry AND place <= stop
)
SELECT place.number,
       count(outcome) AS at_risk,
       count(*) FILTER (WHERE outcome = 'passed') AS passed,
       count(*) FILTER (WHERE outcome = 'dropped') AS dropped,
       count(*) FILTER (WHERE outcome IN ('end', 'waiting')) AS censored,
       count(*) FILTER (WHERE met_wall) AS met_paywall,
       count(*) FILTER (WHERE is_first_wall) AS first_paywall,
       count(*) FILTER (WHERE met_wall AND outcome = 'dropped') AS dropped_at_paywall
FROM place LEFT JOIN outcome USING (place)
GROUP BY place.place, place.number
ORDER BY place.place
