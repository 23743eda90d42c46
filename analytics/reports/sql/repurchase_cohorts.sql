-- name: repurchase_cohorts
-- How many of those who bought first in one period bought in it, and in each that followed.
-- $horizon: integer
-- defines: repurchase_cohort
SELECT cohort, period - cohort AS distance, count(DISTINCT viewer_id) AS buyers
FROM purchase_made
WHERE period - cohort <= $horizon
GROUP BY cohort, period - cohort
ORDER BY cohort, distance
