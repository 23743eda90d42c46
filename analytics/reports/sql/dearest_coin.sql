-- name: dearest_coin
-- The purchase that brought most a coin: what the dearest coin sold so far is worth.
-- $watermark: moment
-- defines: net_revenue_per_start
SELECT net_micros, coins
FROM purchases
WHERE created_at < $watermark AND coins > 0
ORDER BY CAST(net_micros AS DOUBLE) / coins DESC, purchase_id
LIMIT 1
