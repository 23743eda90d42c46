-- name: purchases_made
-- Makes the table `purchase_made`: each purchase of which something did not go back before the watermark, on
-- its local day and in the period of that, beside the viewer's first one.
-- $watermark: moment
-- $last_day: integer or null
-- defines: repurchase_rate, repurchase_cohort, purchase_rhythm
CREATE OR REPLACE TEMP TABLE purchase_made AS
WITH kept AS (
    SELECT purchase_id, viewer_id, sold_at, sum(gross_micros) AS gross_micros
    FROM sales
    WHERE sold_at < $watermark AND created_at < $watermark
    GROUP BY purchase_id, viewer_id, sold_at
    HAVING sum(paid_micros) > 0
), dated AS (
    SELECT purchase_id, viewer_id, sold_at, gross_micros,
           (date_diff('microsecond', TIMESTAMP '1970-01-01 00:00:00', sold_at) + shift_us)
               // 86400000000 AS day
    FROM kept
    JOIN zone_shifts ON sold_at >= starts_at AND sold_at < ends_at
), numbered AS (
    SELECT viewer_id, sold_at, gross_micros, day, period,
           row_number() OVER (PARTITION BY viewer_id ORDER BY sold_at, purchase_id) AS number
    FROM dated JOIN calendar USING (day)
    WHERE $last_day IS NULL OR day <= $last_day
), first_one AS (
    SELECT viewer_id, sold_at AS first_at, day AS first_day, period AS cohort
    FROM numbered WHERE number = 1
)
SELECT viewer_id, number, sold_at, day, period, CAST(gross_micros AS BIGINT) AS gross_micros,
       first_at, first_day, cohort
FROM numbered JOIN first_one USING (viewer_id)
