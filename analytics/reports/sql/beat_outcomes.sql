-- name: beat_outcomes
-- How many viewers each beat had at risk in their first pass, and how they left it.
-- $series_id: text
-- $watermark: moment
-- defines: beat_survival
WITH playing AS (
    SELECT viewer_id, type, episode_id, version_id, from_ms, to_ms, reason, occurred_at,
           occurred_at - INTERVAL 1 MILLISECOND * coalesce(actual_ms, 0) AS began_at
    FROM events
    WHERE series_id = $series_id
      AND environment = 'production'
      AND occurred_at < $watermark
      AND received_at < $watermark
      AND (type IN ('playback_start', 'playback_seek', 'playback_end')
           OR (type = 'playback_progress' AND to_ms > from_ms))
), extent AS (
    SELECT version_id, max(episode_id) AS episode_id, max(end_ms) AS end_ms
    FROM beats GROUP BY version_id
), opening AS (
    SELECT viewer_id, version_id, min(began_at) AS began_at
    FROM playing SEMI JOIN extent USING (version_id)
    WHERE type = 'playback_progress'
    GROUP BY viewer_id, version_id
), ending AS (
    SELECT playing.viewer_id, playing.version_id, min(occurred_at) AS finished_at
    FROM playing
    JOIN extent USING (version_id)
    JOIN opening USING (viewer_id, version_id)
    WHERE occurred_at >= opening.began_at
      AND occurred_at < opening.began_at + INTERVAL 24 HOUR
      AND ((type = 'playback_end' AND reason = 'completed')
           OR (type = 'playback_progress' AND to_ms >= end_ms))
    GROUP BY playing.viewer_id, playing.version_id
), first_pass AS (
    SELECT playing.*, finished_at
    FROM playing
    JOIN opening USING (viewer_id, version_id)
    LEFT JOIN ending USING (viewer_id, version_id)
    WHERE occurred_at >= opening.began_at
      AND occurred_at < opening.began_at + INTERVAL 24 HOUR
      AND occurred_at <= coalesce(finished_at, occurred_at)
), touched AS (
    SELECT viewer_id, first_pass.version_id, position, min(start_ms) AS start_ms,
           min(beats.end_ms) AS end_ms, min(occurred_at) AS first_at,
           sum(least(to_ms, beats.end_ms) - greatest(from_ms, start_ms)) AS played_ms
    FROM first_pass
    JOIN beats
      ON beats.version_id = first_pass.version_id
     AND from_ms < beats.end_ms
     AND to_ms > start_ms
    WHERE type = 'playback_progress'
    GROUP BY viewer_id, first_pass.version_id, position
), reach AS (
    -- Whoever jumps in is at risk from there on only, and going back is a replay.
    SELECT viewer_id, version_id, arg_min(position, (first_at, position)) AS entry,
           max(position) AS furthest
    FROM touched
    GROUP BY viewer_id, version_id
), stop AS (
    SELECT viewer_id, version_id, max(occurred_at) AS last_at,
           bool_or(finished_at IS NOT NULL) AS is_finished
    FROM first_pass
    WHERE type = 'playback_progress'
    GROUP BY viewer_id, version_id
), after AS (
    SELECT stop.viewer_id, stop.version_id,
           bool_or(CASE WHEN playing.episode_id <> extent.episode_id
                        THEN type IN ('playback_start', 'playback_progress')
                         AND occurred_at >= last_at
                        ELSE playing.version_id = stop.version_id AND type = 'playback_end'
                         AND reason = 'next' AND occurred_at >= last_at END) AS goes_next,
           bool_or(playing.version_id = stop.version_id AND type = 'playback_end'
                   AND reason = 'error' AND occurred_at <= last_at + INTERVAL 5 SECOND) AS is_error,
           bool_or(playing.episode_id = extent.episode_id AND type = 'playback_progress'
                   AND occurred_at > last_at) AS plays_on
    FROM stop
    JOIN extent USING (version_id)
    JOIN playing
      ON playing.viewer_id = stop.viewer_id
     AND occurred_at >= last_at - INTERVAL 5 SECOND
     AND playing.began_at < last_at + INTERVAL 30 MINUTE
    GROUP BY stop.viewer_id, stop.version_id
), seek AS (
    SELECT viewer_id, first_pass.version_id, position,
           bool_or(to_ms >= beats.end_ms AND from_ms >= start_ms AND from_ms < beats.end_ms)
               AS is_skip,
           count(*) FILTER (WHERE to_ms < from_ms AND to_ms >= start_ms AND to_ms < beats.end_ms)
               AS replays
    FROM first_pass JOIN beats USING (version_id)
    WHERE type = 'playback_seek'
    GROUP BY viewer_id, first_pass.version_id, position
), outcome AS (
    SELECT touched.version_id, touched.position,
           coalesce(is_skip, false) AS is_skip, coalesce(replays, 0) AS replays,
           CASE WHEN touched.position < furthest OR is_finished THEN 'passed'
                WHEN is_skip THEN 'skipped'
                WHEN goes_next THEN 'next'
                WHEN is_error OR plays_on OR last_at + INTERVAL 30 MINUTE > $watermark
                THEN 'censored'
                ELSE 'exit' END AS outcome
    FROM touched
    JOIN reach USING (viewer_id, version_id)
    JOIN stop USING (viewer_id, version_id)
    LEFT JOIN after USING (viewer_id, version_id)
    LEFT JOIN seek USING (viewer_id, version_id, position)
    WHERE played_ms >= 500 AND touched.position >= entry
)
SELECT version_id, position,
       count(*) AS at_risk,
       count(*) FILTER (WHERE outcome = 'passed') AS passed,
       count(*) FILTER (WHERE outcome = 'skipped') AS skipped,
       count(*) FILTER (WHERE outcome = 'next') AS next,
       count(*) FILTER (WHERE outcome = 'exit') AS exits,
       count(*) FILTER (WHERE outcome = 'censored') AS censored,
       count(*) FILTER (WHERE is_skip) AS seeks_forward,
       sum(replays) AS replays
FROM outcome
GROUP BY version_id, position
ORDER BY version_id, position
