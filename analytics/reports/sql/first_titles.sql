-- name: first_titles
-- Makes the table `first_title`: the series that each viewer started first.
-- defines: retention_calendar, retention_elapsed, retention_on_or_after, ltv
CREATE OR REPLACE TEMP TABLE first_title AS
SELECT viewer_id, arg_min(series_id, (started_at, series_id)) AS series_id
FROM starts
GROUP BY viewer_id
