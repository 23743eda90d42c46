-- name: cohort_sizes
-- The cohorts in the table `member`, each with how many belong to it and when the last of them came.
-- defines: retention_calendar, retention_elapsed, retention_on_or_after, ltv
SELECT cell, cohort, stratum, count(*) AS viewers, max(opened_at) AS last_opened_at
FROM member
GROUP BY cell, cohort, stratum
ORDER BY cohort, stratum
