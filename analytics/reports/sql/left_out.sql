-- name: left_out
-- How many viewers of the sandbox reported anything.
-- $watermark: moment
SELECT count(DISTINCT viewer_id) AS sandbox_viewers
FROM events
WHERE environment <> 'production'
  AND occurred_at < $watermark
  AND received_at < $watermark
