-- name: repurchase_rate
-- How many bought first in each period, and how many of them again within the window.
-- $window_days: integer
-- defines: repurchase_rate, repurchase_cohort
SELECT cohort,
       count(*) FILTER (WHERE number = 1) AS payers,
       -- The second purchase decides: nobody has it twice.
       count(*) FILTER (WHERE number = 2
                          AND date_diff('microsecond', first_at, sold_at)
                              < $window_days * 86400000000) AS repeated
FROM purchase_made
GROUP BY cohort
ORDER BY cohort
