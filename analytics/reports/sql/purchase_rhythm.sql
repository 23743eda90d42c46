-- name: purchase_rhythm
-- Payers by on how many further days they bought, how long after the first the last of those was, and how
-- long the first is ago at the end of the last day, with what was paid on the further days.
-- $first_day: integer or null
-- $last_day: integer
-- defines: purchase_rhythm
WITH of_viewer AS (
    SELECT viewer_id, count(DISTINCT day) - 1 AS frequency,
           max(day) - min(first_day) AS recency_days,
           $last_day - min(first_day) AS age_days,
           sum(CASE WHEN day > first_day THEN gross_micros ELSE 0 END) AS repeat_micros
    FROM purchase_made
    WHERE $first_day IS NULL OR first_day >= $first_day
    GROUP BY viewer_id
)
SELECT frequency, recency_days, age_days, count(*) AS payers,
       CAST(sum(repeat_micros) AS BIGINT) AS repeat_micros
FROM of_viewer
GROUP BY frequency, recency_days, age_days
ORDER BY frequency, recency_days, age_days
