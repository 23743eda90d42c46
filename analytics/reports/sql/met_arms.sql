-- name: met_arms
-- Makes the table `met_arm`: the arm of an experiment that each viewer has met.
-- $experiment: text
-- $watermark: moment
-- defines: retention_calendar, retention_elapsed, retention_on_or_after, ltv
CREATE OR REPLACE TEMP TABLE met_arm AS
SELECT viewer_id, arm
FROM exposures
WHERE experiment = $experiment AND exposed_at < $watermark
