-- The rungs of the money ladder that settled fees stand on: what stores kept beyond what was estimated, from
-- %(start)s on and before %(end)s in one environment, in micros of the reporting currency. Lots and covers keep
-- the value that they were sold with, so what a fee came to more is a cost of the day that tells of it.
WITH settled AS (
    SELECT coalesce(sum(difference_micros), 0) AS beyond
    FROM payments_feeadjustment
    WHERE environment = %(environment)s AND created_at >= %(start)s AND created_at < %(end)s
)
SELECT rung, NULL::uuid AS series_id, micros::bigint AS micros
FROM settled,
LATERAL (VALUES ('fee', settled.beyond), ('difference', -settled.beyond)) AS rungs(rung, micros)
